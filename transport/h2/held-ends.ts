import { outsideCalls } from '../../rpc/async-context.js';
import { HOLD_MS, HOLD_TURNS, inTurns } from '../end-before-reset.js';

type Held = { readonly end: () => void; readonly chunk: number; readonly until: number };

/**
 * Ends of requests that may turn out to be a cancellation: each is held until the next read of the socket, which would
 * have brought its RST_STREAM, or for 5 ms. What is longer on its way cannot be known. While the socket is paused, nothing
 * is read and time says nothing.
 */
export class HeldEnds {
  readonly #held: Held[] = []; // In the order in which they came.
  readonly #isPaused: () => boolean;
  #timer: NodeJS.Timeout | undefined;

  /** @param isPaused whether the socket is not read */
  constructor(isPaused: () => boolean) {
    this.#isPaused = isPaused;
  }

  /**
   * @param end to be called when no reset has come; harmless when one has
   * @param chunk that is being read, by number
   */
  hold(end: () => void, chunk: number): void {
    this.#held.push({ end, chunk, until: performance.now() + HOLD_MS });
    this.#arm(HOLD_MS);
  }

  /**
   * @param chunk that has been read, by number
   * @param midFrame the chunk has ended within a frame, which may be a reset
   */
  onChunkRead(chunk: number, midFrame: boolean): void {
    if (!midFrame) this.#release((held) => held.chunk < chunk);
  }

  #arm(ms: number): void {
    this.#timer ??= outsideCalls(() => setTimeout(this.#onTimer, Math.ceil(ms)));
  }

  readonly #onTimer = (): void => {
    const now = performance.now();
    const wasPaused = this.#isPaused();
    inTurns(HOLD_TURNS, () => {
      this.#timer = undefined;
      if (wasPaused || this.#isPaused()) return this.#arm(HOLD_MS);
      this.#release((held) => held.until <= now);
      const next = this.#held[0];
      if (next) this.#arm(Math.max(0, next.until - performance.now()));
    });
  };

  #release(isOver: (held: Held) => boolean): void {
    while (this.#held.length > 0 && isOver(this.#held[0]!)) this.#held.shift()!.end();
  }
}
