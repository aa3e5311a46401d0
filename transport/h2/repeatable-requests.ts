type Step = IteratorResult<unknown>;

/** As many as a call with a single request takes: that, and its end. */
const MAX_KEPT = 2;

/**
 * The requests of a stream, which can be read again from the first for as long as no more than two steps of them were
 * read. A stream that the server has not looked at is sent again with them.
 */
export class RepeatableRequests implements AsyncIterableIterator<unknown> {
  readonly #source: AsyncIterable<unknown>;
  #iterator: AsyncIterator<unknown> | undefined;
  #kept: Promise<Step>[] = [];
  #at = 0;
  #keeps = true;
  #isParted = false;

  constructor(source: AsyncIterable<unknown>) {
    this.#source = source;
  }

  get canRepeat(): boolean {
    return this.#keeps;
  }

  /** They will not be read again. */
  forget(): void {
    this.#keeps = false;
    if (this.#at >= this.#kept.length) this.#kept = [];
  }

  /** The reader that leaves now makes room for another: the source is not told. */
  part(): void {
    this.#isParted = true;
  }

  [Symbol.asyncIterator](): this {
    this.#isParted = false;
    this.#at = 0;
    return this;
  }

  next(): Promise<Step> {
    const kept = this.#kept[this.#at];
    if (kept) {
      this.#at++;
      return kept;
    }
    this.#iterator ??= this.#source[Symbol.asyncIterator]();
    const step = this.#iterator.next();
    if (this.#keeps && this.#kept.length < MAX_KEPT) this.#at = this.#kept.push(step);
    else this.#drop();
    return step;
  }

  #drop(): void {
    this.#keeps = false;
    this.#kept = [];
  }

  /** Ends the source, which no reader has now. Its failure concerns nobody. */
  end(): void {
    this.#isParted = false;
    this.return().catch(() => {});
  }

  async return(): Promise<Step> {
    if (!this.#isParted) {
      this.#drop();
      await this.#iterator?.return?.();
    }
    return { done: true, value: undefined };
  }
}
