const MINUTE_MS = 60_000;
const IDLE_MS = 5 * MINUTE_MS;
/** Long-lived connections stay with the servers they began with, and with the credentials. */
const MAX_AGE_MS = 30 * MINUTE_MS;

/** When a server lets a connection go: nothing has been asked for a while, or it is old. */
export class ConnectionAge {
  readonly openedAt = performance.now();
  // Not all that began together end together.
  readonly #maxAgeMs = MAX_AGE_MS * (0.9 + Math.random() * 0.2);
  #idleSince = this.openedAt;
  #lastStream = 0;

  /** @param lastStream the number of the last stream that was opened */
  isOver(now: number, openStreams: number, lastStream: number): boolean {
    if (openStreams > 0 || lastStream !== this.#lastStream) {
      this.#lastStream = lastStream;
      this.#idleSince = now;
    }
    return now - this.#idleSince >= IDLE_MS || now - this.openedAt >= this.#maxAgeMs;
  }
}
