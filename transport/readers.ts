type Step<T> = IteratorResult<T, undefined>;
type Reader<T> = {
  readonly resolve: (step: Step<T>) => void;
  readonly reject: (error: unknown) => void;
  after: Reader<T> | undefined;
};

/** Those who wait for the next value of an iteration, in the order in which they asked: `next()` may be called again at once. */
export class Readers<T> {
  #first: Reader<T> | undefined;
  #last: Reader<T> | undefined;

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  wait(): Promise<Step<T>> {
    return new Promise((resolve, reject) => {
      const reader: Reader<T> = { resolve, reject, after: undefined };
      if (this.#last) this.#last.after = reader;
      else this.#first = reader;
      this.#last = reader;
    });
  }

  /** The one who has waited longest, who waits here no longer. */
  take(): Omit<Reader<T>, 'after'> | undefined {
    const reader = this.#first;
    if (!reader) return undefined;
    this.#first = reader.after;
    if (!this.#first) this.#last = undefined;
    return reader;
  }

  /** Nothing more comes: the first is told the error, if there is one, and the others that it is over. */
  end(error?: unknown): void {
    let untold = error;
    for (let reader = this.take(); reader; reader = this.take()) {
      if (untold === undefined) reader.resolve({ done: true, value: undefined });
      else reader.reject(untold);
      untold = undefined;
    }
  }
}
