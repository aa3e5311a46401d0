import { ConnectionError, ErrorCode } from './protocol.js';

/**
 * A limit on events that cost the peer nothing: so many at once, and so many a second after that.
 * (A token bucket that is refilled when it is looked at, so it needs no timer.)
 */
export class Rate {
  readonly #what: string;
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at = performance.now();

  constructor(what: string, perSecond: number, burst: number) {
    this.#what = what;
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** @throws ConnectionError ENHANCE_YOUR_CALM (RFC 9113, 10.5) */
  count(): void {
    if (--this.#tokens >= 0) return;
    const now = performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) / 1_000) * this.#perSecond);
    this.#at = now;
    if (this.#tokens < 0) {
      throw new ConnectionError(
        ErrorCode.ENHANCE_YOUR_CALM,
        `more than ${this.#perSecond} ${this.#what} a second`,
      );
    }
  }

  /** Something was done that lets so many of these events be expected. */
  earn(events: number): void {
    if (this.#tokens < this.#burst) this.#tokens += events;
  }
}
