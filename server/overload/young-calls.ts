/** Windows in which a call is young: about a second. */
const WINDOWS = 10;

/**
 * Counts the calls that run and have not run for long. What runs for longer than a second mostly waits, for an event or
 * for a slow peer, and takes nothing from the others; however many of those there are, they must not keep others out.
 */
export class YoungCalls {
  readonly #begun = new Int32Array(WINDOWS); // In each window, and not ended.
  #window = 0;
  #count = 0;
  #peak = 0;

  get count(): number {
    return this.#count;
  }

  /** The most of them at a time in this window. */
  get peak(): number {
    return this.#peak;
  }

  /** @returns what `ended` is to be told */
  began(): number {
    this.#begun[this.#window % WINDOWS]!++;
    if (++this.#count > this.#peak) this.#peak = this.#count;
    return this.#window;
  }

  ended(window: number): void {
    if (this.#window - window >= WINDOWS) return;
    this.#begun[window % WINDOWS]!--;
    this.#count--;
  }

  nextWindow(): void {
    const oldest = ++this.#window % WINDOWS;
    this.#count -= this.#begun[oldest]!;
    this.#begun[oldest] = 0;
    this.#peak = this.#count;
  }
}
