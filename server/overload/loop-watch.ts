import { type EventLoopUtilization, performance } from 'node:perf_hooks';

const TICK_MS = 20;
const WINDOW_MS = 100;
/** However late they are: what one of them shows may be a single pause, as for a collection of garbage. */
const LEAST_TICKS = 2;

/** What the event loop was like in a tenth of a second, or in what two late ticks took. */
export type LoopWindow = {
  /** The least that a timer was late by, in milliseconds: a single pause does not count. */
  readonly delayMs: number;
  /** From 0, idle, to 1. */
  readonly utilization: number;
};

/** Sees how late the event loop is, by one timer for the whole server, which runs only while there is something to do. */
export class LoopWatch {
  readonly #onTick: (now: number) => void;
  readonly #onWindow: (window: LoopWindow) => boolean;
  #timer: NodeJS.Timeout | undefined;
  #due = 0;
  #ticks = 0;
  #began = 0;
  #leastMs = Number.POSITIVE_INFINITY;
  #used: EventLoopUtilization | undefined;

  /**
   * @param onTick every 20 ms
   * @param onWindow at the end of each window; false when there is nothing to watch over any more
   */
  constructor(onTick: (now: number) => void, onWindow: (window: LoopWindow) => boolean) {
    this.#onTick = onTick;
    this.#onWindow = onWindow;
  }

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  start(): void {
    this.#used = performance.eventLoopUtilization();
    this.#begin();
    this.#arm();
  }

  #begin(): void {
    this.#began = performance.now();
    this.#ticks = 0;
    this.#leastMs = Number.POSITIVE_INFINITY;
  }

  #arm(): void {
    this.#due = performance.now() + TICK_MS;
    this.#timer = setTimeout(this.#tick, TICK_MS);
    this.#timer.unref();
  }

  readonly #tick = (): void => {
    const now = performance.now();
    this.#leastMs = Math.min(this.#leastMs, Math.max(0, now - this.#due));
    this.#onTick(now);
    // A timer may go off a little early.
    const isOver = ++this.#ticks >= LEAST_TICKS && now - this.#began > WINDOW_MS - TICK_MS / 2;
    if (!isOver || this.#endWindow()) this.#arm();
    else this.#timer = undefined;
  };

  #endWindow(): boolean {
    const used = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(used, this.#used);
    const delayMs = this.#leastMs;
    this.#used = used;
    this.#begin();
    return this.#onWindow({ delayMs, utilization });
  }
}
