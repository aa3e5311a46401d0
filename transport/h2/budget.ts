/**
 * What all connections of a server, or one connection of a client, may hold together; or a part of it, of which what is
 * taken counts in the whole too.
 */
export class Budget {
  readonly #maxStreams: number;
  readonly #maxBytes: number;
  readonly #whole: Budget | undefined;
  #streams = 0;
  #bytes = 0;

  constructor(maxStreams: number, maxBytes: number, whole?: Budget) {
    this.#maxStreams = maxStreams;
    this.#maxBytes = maxBytes;
    this.#whole = whole;
  }

  get streams(): number {
    return this.#streams;
  }

  /** Of messages that have begun and not ended, in either direction, or that lie unread. */
  get bytes(): number {
    return this.#bytes;
  }

  get hasStream(): boolean {
    return this.#streams < this.#maxStreams;
  }

  /** Positive for streams that were opened. */
  countStreams(change: number): void {
    this.#streams += change;
  }

  /** False, and nothing is taken, when it would be too much. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#maxBytes || this.#whole?.take(bytes) === false) return false;
    this.#bytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes;
    this.#whole?.giveBack(bytes);
  }
}
