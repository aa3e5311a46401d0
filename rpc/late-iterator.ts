type Source = AsyncIterable<unknown>;
type Step = IteratorResult<unknown, undefined>;

const DONE: Step = { done: true, value: undefined };
const OVER: AsyncIterator<unknown> = { next: () => Promise.resolve(DONE) };

/**
 * An iteration whose source is made when the first value is asked for, and may take a while. From then on values come
 * from the source's own iterator, with no promise in between: a generator with `yield*` would add three to each.
 */
export class LateIterator implements AsyncIterableIterator<unknown, undefined> {
  readonly #open: () => Source | Promise<Source>;
  readonly #onLeft: (() => void) | undefined;
  #opening: Promise<AsyncIterator<unknown>> | undefined;
  #iterator: AsyncIterator<unknown> | undefined;

  /** @param onLeft told when the reader leaves before there is a source */
  constructor(open: () => Source | Promise<Source>, onLeft?: () => void) {
    this.#open = open;
    this.#onLeft = onLeft;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step> {
    return this.#iterator ? (this.#iterator.next() as Promise<Step>) : this.#first();
  }

  #first(): Promise<Step> {
    try {
      if (!this.#opening) {
        const source = this.#open();
        if (!(source instanceof Promise)) {
          this.#iterator = source[Symbol.asyncIterator]();
          return this.next();
        }
        this.#opening = this.#opened(source);
      }
    } catch (reason) {
      this.#iterator = OVER;
      return Promise.reject(reason);
    }
    return this.#opening.then((iterator) => iterator.next() as Promise<Step>);
  }

  async #opened(source: Promise<Source>): Promise<AsyncIterator<unknown>> {
    try {
      const iterator = (await source)[Symbol.asyncIterator]();
      this.#iterator ??= iterator;
      if (this.#iterator !== iterator) void iterator.return?.();
    } catch (reason) {
      this.#iterator = OVER;
      throw reason;
    }
    return this.#iterator;
  }

  async return(): Promise<Step> {
    if (this.#iterator) {
      await this.#iterator.return?.();
    } else {
      this.#iterator = OVER;
      this.#onLeft?.();
    }
    return DONE;
  }
}
