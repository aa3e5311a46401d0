import { outsideCalls } from '../../rpc/async-context.js';
import type { RpcError } from '../../rpc/error.js';
import { refusal } from '../../rpc/not-executed.js';
import { Status } from '../../rpc/status.js';
import type { ServerLoad } from '../load.js';
import { CallQueue } from './call-queue.js';
import { GradientLimit } from './gradient-limit.js';
import type { LoopWindow } from './loop-watch.js';
import type { OverloadSettings } from './options.js';
import type { Priority } from './priority.js';
import type { QueuedCall } from './queued-call.js';
import type { UsualTime } from './usual-time.js';
import { YoungCalls } from './young-calls.js';

/** Calls keep the event loop to themselves for so long before it looks for what has come: else no refusal is quick. */
const SLICE_MS = 2;
/** Where calls take less there are no turns: all that one read can bring takes some milliseconds at most. */
const NOTICEABLE_MS = 0.02;
/** Of such calls every so manieth has a turn all the same, so that it is known what all of it takes. */
const SAMPLE = 128;
/** A method whose calls take so long tells nothing by how long they take. */
const WAITING_MS = 1_000;
/** Above this the event loop has little time left. */
const BUSY = 0.75;
/** What one more call says of the pace, */
const SHARE = 1 / 32;
/** of which a pause is to say no more than so many times as much, or than so many milliseconds. */
const MOST_TIMES = 4;
const MOST_MS = 5;
/** So many calls are needed to know the pace: the first ones of a process take long, and say little of the others. */
const ENOUGH = 256;
/** And what of the time that each takes, */
const COST_SHARE = 1 / 64;
/** of which a pause, as for a collection of garbage, is to say no more than this. */
const MOST_COST_MS = 0.5;

/** A wait below this, which is about two turns, is no reason to refuse a call that has hardly any time. */
const NOTEWORTHY_MS = 5;

/** How many times later than it may be a call is still let run when its turn comes. */
const MOST_LATE = 4;

const TOO_MUCH = 'the server has too much to do';

export type OverloadLimits = {
  readonly maxConcurrentCalls: number;
  readonly now?: () => number;
  /** Calls `turn` when the event loop has looked for what has come. */
  readonly nextTurn?: (turn: () => void) => void;
};

/**
 * Decides which calls run now, which wait and which are refused, by what a process with one thread can do: handlers get a
 * slice of each turn of the event loop, and so many calls run at a time as do not slow each other down.
 *
 * What waits is bounded by the time that it would wait, as in "Fail at Scale" (Maurer, ACM Queue 13:8, 2015): a burst may
 * pile up, but a queue that has not been empty for as long is a standing one, and is kept short. A call that would wait
 * for longer is refused when it comes, not when it has waited.
 */
export class Overload {
  readonly #settings: OverloadSettings;
  readonly #now: () => number;
  readonly #later: (turn: () => void) => void;
  readonly #queue: CallQueue<QueuedCall>;
  readonly #limit: GradientLimit;
  readonly #running = new YoungCalls();
  #costMs = MOST_COST_MS; // What a call takes of the event loop.
  #paceMs = 0; // Between one call's turn and that of the next,
  #paces = 0; // of so many calls.
  #turnAt: number | undefined; // When the last one had its turn, if others waited then.
  #turnIsDue = false;
  #turnEndsAt = 0;
  #ranAt: number | undefined; // When the one began that has its turn just now.
  #untilSample = 0;
  #emptyAt = 0;
  #refused = 0;
  #delayMs = 0;

  constructor(settings: OverloadSettings, limits: OverloadLimits) {
    this.#settings = settings;
    this.#now = limits.now ?? (() => performance.now());
    this.#later = limits.nextTurn ?? ((turn) => outsideCalls(() => setImmediate(turn)));
    this.#queue = new CallQueue(settings.maxQueued, settings.maxQueuedBytes);
    this.#limit = new GradientLimit(settings.minConcurrentCalls, limits.maxConcurrentCalls);
  }

  get state(): Omit<ServerLoad, 'inFlight'> {
    const { size: queued, bytes: queuedBytes } = this.#queue;
    return {
      queued,
      queuedBytes,
      limit: Math.floor(this.#limit.value),
      refused: this.#refused,
      loopDelayMs: this.#delayMs,
    };
  }

  /** Whether a call need not wait: most never see more of all this. */
  runsAtOnce(): boolean {
    // One that waits may be a sample, and is no reason for others to wait.
    if (this.#queue.size > 1 || this.#costMs > NOTICEABLE_MS || this.#running.count >= this.#limit.value)
      return false;
    if (--this.#untilSample >= 0) return true;
    this.#untilSample = SAMPLE;
    return false;
  }

  /** The reason why a call is not to wait, or undefined; then `wait` is to follow. */
  refuse(priority: Priority, bytes: number, deadline: number | undefined, now: number): RpcError | undefined {
    const reason = this.#reason(priority, bytes, deadline, now);
    if (reason === undefined) return undefined;
    this.#refused++;
    return refusal(`${TOO_MUCH}: ${reason}`);
  }

  #reason(priority: Priority, bytes: number, deadline: number | undefined, now: number): string | undefined {
    if (!this.#queue.hasRoom(priority, bytes))
      return `${this.#queue.size} calls with ${this.#queue.bytes} bytes wait for their turn`;
    const waitMs = this.#queue.before(priority) * this.#paceMs * (this.#paces / ENOUGH);
    // Half of its time is left for the call itself, and for what is wrong with the estimate.
    if (deadline !== undefined && waitMs >= NOTEWORTHY_MS && waitMs > (deadline - now) / 2)
      return `its turn would come in ${waitMs.toFixed(0)} ms, too late for its deadline in ${(deadline - now).toFixed(0)} ms`;
    const { burstMs, standingMs } = this.#settings;
    const isStanding = this.#queue.size > 0 && now - this.#emptyAt > burstMs;
    const mostMs = isStanding ? standingMs : burstMs;
    if (waitMs > mostMs) return `its turn would come in ${waitMs.toFixed(0)} ms, ${mostMs} are the limit`;
    return undefined;
  }

  wait(call: QueuedCall): void {
    if (this.#queue.size === 0) this.#emptyAt = this.#now();
    this.#queue.push(call);
    this.#wake();
  }

  /** The server closes: what waits goes elsewhere. */
  turnAway(): void {
    for (let call = this.#queue.shift(); call; call = this.#queue.shift())
      call.refuse(refusal('the server was closed before the call had its turn', Status.UNAVAILABLE));
    this.#mayBeEmpty();
  }

  /** A call has ended while it waited. */
  gone(call: QueuedCall): void {
    this.#queue.leave(call);
    this.#mayBeEmpty();
  }

  /** When nothing waits, the time to the next turn is nobody's cost. */
  #mayBeEmpty(): void {
    if (this.#queue.size === 0) this.#turnAt = undefined;
  }

  /**
   * A unary call's handler begins.
   * @returns what `ended` is to be told
   */
  began(): number {
    return this.#running.began();
  }

  /**
   * A call that did not wait has kept the event loop for so long.
   * @param goesOn whether its handler has given a promise: what it does when that which it awaits is there at once, as
   * behind an interceptor, is not known then
   */
  took(ms: number, goesOn: boolean): void {
    // Most take nothing to speak of and were expected to; what they take is known well enough by samples.
    if (ms <= NOTICEABLE_MS && this.#costMs <= NOTICEABLE_MS) return;
    if (!goesOn || ms > this.#costMs) this.#learn(ms);
  }

  #learn(ms: number): void {
    this.#costMs += COST_SHARE * (Math.min(ms, MOST_COST_MS) - this.#costMs);
    if (this.#queue.size === 0) this.#learnPace(ms);
  }

  #learnPace(ms: number): void {
    if (this.#paces < ENOUGH) this.#paces++;
    const most = Math.max(MOST_MS, MOST_TIMES * this.#paceMs);
    this.#paceMs += Math.max(SHARE, 1 / this.#paces) * (Math.min(ms, most) - this.#paceMs);
  }

  /** A unary call's handler has ended, or nobody waits for it any longer. */
  ended(window: number): void {
    this.#running.ended(window);
    this.#wake();
  }

  /** What a call took whose handler waited for something. */
  sample(tookMs: number, usual: UsualTime, now: number): void {
    // Calls that usually take longer wait for something, and may do so for any time.
    if (usual.ms < WAITING_MS) this.#limit.sample(tookMs, usual.ms);
    usual.learn(tookMs, this.#queue.size === 0 && !this.#limit.isCongested, now);
  }

  /**
   * Refuses what has waited for too long. Nobody else would look at it while no call ends; where calls do end it may be
   * late since the event loop has been away, and is let have its turn if that is not too long ago.
   */
  expire(now: number): void {
    const isStuck = this.#running.count >= this.#limit.value;
    const mostMs = this.#settings.burstMs * (isStuck ? 1 : MOST_LATE);
    for (const call of this.#queue.waitingSinceBefore(now - mostMs)) {
      this.#refused++;
      call.refuse(refusal(`${TOO_MUCH}: its turn had not come within ${mostMs} ms`));
    }
    this.#mayBeEmpty();
  }

  /** @returns whether there was anything to do */
  onWindow({ delayMs, utilization }: LoopWindow): boolean {
    const { adapt, maxLoopDelayMs } = this.#settings;
    this.#delayMs = delayMs;
    this.#limit.end({
      peak: this.#running.peak,
      counts: adapt === 'always' || (adapt === 'busy' && utilization >= BUSY),
      lateness: adapt === 'never' ? 0 : delayMs / maxLoopDelayMs,
    });
    const wasUsed = this.#running.peak > 0 || this.#queue.size > 0;
    this.#running.nextWindow();
    this.#wake();
    return wasUsed;
  }

  #wake(): void {
    if (this.#queue.size === 0 || this.#turnIsDue || this.#ranAt !== undefined) return;
    if (this.#running.count >= this.#limit.value) return;
    this.#turnIsDue = true;
    this.#later(this.#turn);
  }

  readonly #turn = (): void => {
    this.#turnIsDue = false;
    this.#turnEndsAt = this.#now() + SLICE_MS;
    this.#next();
  };

  /** Calls have their turn one after the other, each with all that it does before the event loop goes on. */
  readonly #next = (): void => {
    let now = this.#now();
    for (;;) {
      if (this.#ranAt !== undefined) this.#learn(now - this.#ranAt);
      this.#ranAt = undefined;
      if (now >= this.#turnEndsAt || this.#running.count >= this.#limit.value) break;
      const call = this.#queue.shift();
      if (!call) break;
      if (this.#turnAt !== undefined) this.#learnPace(now - this.#turnAt);
      this.#turnAt = this.#queue.size > 0 ? now : undefined;
      this.#ranAt = now;
      if (call.run(now)) return queueMicrotask(this.#whenIdle);
      now = this.#now();
    }
    this.#mayBeEmpty();
    this.#wake();
  };

  /** A tick that is asked for by a microtask comes when there is none left. */
  readonly #whenIdle = (): void => process.nextTick(this.#next);
}
