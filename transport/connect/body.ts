/** A request's body as it comes. It grows with what has come, by doubling: the work is linear in any cut of the bytes. */
export class Body {
  readonly #maxBytes: number;
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** False when it is more than allowed; then it is not kept. */
  push(chunk: Buffer): boolean {
    const needed = this.#length + chunk.length;
    if (needed > this.#maxBytes) return false;
    if (this.#length === 0) {
      this.#bytes = chunk; // Most bodies come whole.
    } else {
      if (needed > this.#bytes.length) {
        const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2, 1_024));
        this.#bytes.copy(grown, 0, 0, this.#length);
        this.#bytes = grown;
      }
      chunk.copy(this.#bytes, this.#length);
    }
    this.#length = needed;
    return true;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}
