import { deadlineExceeded } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import { refusal } from '../rpc/not-executed.js';
import { Status } from '../rpc/status.js';
import type { IncomingCall } from '../transport/transport.js';
import type { ServerLoad } from './load.js';
import { LoopWatch } from './overload/loop-watch.js';
import type { OverloadSettings } from './overload/options.js';
import { Overload } from './overload/overload.js';
import { Overstays } from './overload/overstays.js';
import { priorityOf } from './overload/priority.js';
import { QueuedCall } from './overload/queued-call.js';

export type GateLimits = {
  readonly maxConcurrentCalls: number;
  readonly maxMetadataBytes: number;
  readonly timeoutMs: number;
  /** Undefined for a gate that lets calls in however much there is to do. */
  readonly overload: OverloadSettings | undefined;
};

/** A call that answers a refusal. */
export type Refusable = IncomingCall & { fail(error: RpcError): void };

/** Who may come in, and when: limits that hold for the whole server. */
export class Gate {
  readonly overload: Overload | undefined;
  readonly overstays = new Overstays();
  readonly #maxConcurrentCalls: number;
  readonly #maxMetadataBytes: number;
  readonly #timeoutMs: number;
  readonly #watch: LoopWatch | undefined;
  #inFlight = 0;
  #refusedCount = 0;

  constructor(limits: GateLimits) {
    this.#maxConcurrentCalls = limits.maxConcurrentCalls;
    this.#maxMetadataBytes = limits.maxMetadataBytes;
    this.#timeoutMs = limits.timeoutMs;
    if (!limits.overload) return;
    const overload = new Overload(limits.overload, limits);
    this.overload = overload;
    this.#watch = new LoopWatch(
      (now) => {
        overload.expire(now);
        this.overstays.sweep(now);
      },
      (window) => overload.onWindow(window),
    );
  }

  get load(): ServerLoad {
    const none = { queued: 0, queuedBytes: 0, limit: this.#maxConcurrentCalls, refused: 0, loopDelayMs: 0 };
    const state = this.overload?.state ?? none;
    return { ...state, inFlight: this.#inFlight, refused: state.refused + this.#refusedCount };
  }

  /** Refuses a call, or says whether it may run now; if it must wait, `wait` is to follow, and `leave` what has run. */
  enter(incoming: Refusable, now: number): 'run' | 'wait' | 'refused' {
    const refused = this.#refused(incoming, now);
    if (refused) {
      incoming.fail(refused);
      return 'refused';
    }
    if (this.#watch && !this.#watch.isRunning) this.#watch.start();
    if (this.overload && !this.overload.runsAtOnce()) return 'wait';
    this.#inFlight++;
    return 'run';
  }

  /**
   * Refuses a call for which there is too much to do, or calls `run` in its turn.
   * @param bytes of its request
   * @param run says whether the handler goes on
   */
  wait(incoming: Refusable, bytes: number, now: number, run: (now: number) => boolean): void {
    const overload = this.overload!;
    const priority = priorityOf(incoming.metadata);
    const refused = overload.refuse(priority, bytes, incoming.deadline, now);
    if (refused) return incoming.fail(refused);
    this.#inFlight++;
    overload.wait(new QueuedCall({ incoming, priority, bytes, since: now, run, left: this.#left }));
  }

  readonly #left = (call: QueuedCall): void => {
    this.#inFlight--;
    if (call.isGone) this.overload?.gone(call);
  };

  #refused(incoming: IncomingCall, now: number): RpcError | undefined {
    if (this.#inFlight >= this.#maxConcurrentCalls) this.overstays.sweep(now);
    if (this.#inFlight >= this.#maxConcurrentCalls) {
      this.#refusedCount++;
      return refusal(`the server has ${this.#inFlight} calls in flight, its limit`);
    }
    const bytes = incoming.metadataBytes;
    if (bytes > this.#maxMetadataBytes) {
      return new RpcError(
        Status.RESOURCE_EXHAUSTED,
        `metadata of ${bytes} bytes, at most ${this.#maxMetadataBytes} are taken`,
      );
    }
    if (incoming.deadline !== undefined && incoming.deadline <= now)
      return deadlineExceeded('the deadline had passed when the call arrived', false);
    return undefined;
  }

  leave(): void {
    this.#inFlight--;
  }

  deadlineOf(incoming: IncomingCall, now: number): number | undefined {
    if (incoming.deadline !== undefined || this.#timeoutMs === Number.POSITIVE_INFINITY)
      return incoming.deadline;
    return now + this.#timeoutMs;
  }
}
