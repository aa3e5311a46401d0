import { ConnectionError, ErrorCode } from './protocol.js';

const WINDOW_MS = 10_000;
const MAX_CANCELLED = 1_000;
/** From so many streams on, their share counts too: a user who leaves a page gives up some hundreds at once. */
const SAMPLE = 1_000;
const MAX_SHARE = 0.9;

/**
 * Streams that were opened and at once given up, whoever reset them: work for the server that costs the client next
 * to nothing (CVE-2023-44487, and CVE-2025-8671 where a fault of the client makes the server reset).
 */
export class Cancellations {
  #since = performance.now();
  #opened = 0;
  #cancelled = 0;

  opened(): void {
    this.#opened++;
  }

  /** @throws ConnectionError ENHANCE_YOUR_CALM for more than 1,000 in 10 s, or nearly all of 1,000 streams or more */
  cancelled(): void {
    const now = performance.now();
    if (now - this.#since > WINDOW_MS) {
      this.#since = now;
      this.#opened = this.#cancelled = 0;
    }
    this.#cancelled++;
    const nearlyAll = this.#opened >= SAMPLE && this.#cancelled > this.#opened * MAX_SHARE;
    if (this.#cancelled <= MAX_CANCELLED && !nearlyAll) return;
    throw new ConnectionError(
      ErrorCode.ENHANCE_YOUR_CALM,
      `${this.#cancelled} of ${this.#opened} streams were given up`,
    );
  }
}
