type Source = AsyncIterable<unknown>;
type Step = IteratorResult<unknown, undefined>;

const DONE: Step = { done: true, value: undefined };
const OVER: AsyncIterator<unknown> = { next: () => Promise.resolve(DONE) };

/**
 * An iteration whose source is made when the first value is asked for, and takes a while. From then on values come
 * from the source's own iterator, with no promise in between: a generator with `yield*` would add three to each.
 */
export class LateIterator implements AsyncIterableIterator<unknown, undefined> {
  readonly #open: () => Promise<Source>;
  readonly #onLeft: () => void;
  #opening: Promise<AsyncIterator<unknown>> | undefined;
  #iterator: AsyncIterator<unknown> | undefined;
  #last: Promise<Step> | undefined;
  readonly #left: Promise<Step>;
  #tellLeft!: (step: Step) => void;

  /** @param onLeft told when the reader leaves, whether there is a source or not */
  constructor(open: () => Promise<Source>, onLeft: () => void) {
    this.#open = open;
    this.#onLeft = onLeft;
    this.#left = new Promise((resolve) => {
      this.#tellLeft = resolve;
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step> {
    if (this.#iterator) {
      this.#last = this.#iterator.next() as Promise<Step>;
      return this.#last;
    }
    this.#opening ??= this.#opened();
    const first = this.#opening.then((iterator) => iterator.next() as Promise<Step>);
    return Promise.race([first, this.#left]);
  }

  async #opened(): Promise<AsyncIterator<unknown>> {
    try {
      const source = await this.#open();
      const iterator = source[Symbol.asyncIterator]();
      if (this.#iterator) await iterator.return?.();
      this.#iterator ??= iterator;
      return this.#iterator;
    } catch (reason) {
      // Of a source that was left before it was there, nobody is told: `next` has given its answer.
      this.#iterator = OVER;
      throw reason;
    }
  }

  async return(): Promise<Step> {
    const iterator = this.#iterator;
    this.#iterator = OVER;
    // What waits for a value may end as the source likes; nobody need look at it any more.
    this.#last?.catch(() => {});
    this.#tellLeft(DONE);
    const returned = iterator?.return?.();
    // Also where that waits behind a `next()` that waits.
    this.#onLeft();
    await returned;
    return DONE;
  }
}
