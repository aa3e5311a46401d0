const CAPACITY = 16;

type Step<T> = IteratorResult<T, undefined>;

/** A bounded queue between one writer and one reader. A full one makes the writer wait. */
export class Channel<T> implements AsyncIterable<T>, AsyncIterator<T, undefined> {
  readonly #queue: T[] = [];
  #end: { error: unknown } | undefined;
  #reader: { resolve: (step: Step<T>) => void; reject: (error: unknown) => void } | undefined;
  #writer: (() => void) | undefined;
  readonly #onLeave: (() => void) | undefined;

  /** @param onLeave told when the reader leaves before the end */
  constructor(onLeave?: () => void) {
    this.#onLeave = onLeave;
  }

  /** A promise when the reader has to catch up before the next one. */
  write(value: T): Promise<void> | undefined {
    if (this.#end) return undefined;
    if (this.#reader) {
      this.#reader.resolve({ done: false, value });
      this.#reader = undefined;
      return undefined;
    }
    if (this.#queue.push(value) < CAPACITY) return undefined;
    return new Promise((resolve) => {
      this.#writer = resolve;
    });
  }

  /** Nothing comes after what is queued; with an error the reader is told it, and what is queued is dropped. */
  close(error?: unknown): void {
    if (this.#end) return;
    this.#end = { error };
    if (error !== undefined) this.#queue.length = 0;
    this.#wakeWriter();
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) this.next().then(reader.resolve, reader.reject);
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return this;
  }

  async next(): Promise<Step<T>> {
    if (this.#queue.length > 0) {
      const value = this.#queue.shift()!;
      this.#wakeWriter();
      return { done: false, value };
    }
    if (this.#end) {
      const { error } = this.#end;
      this.#end = { error: undefined }; // A failure is told once.
      if (error !== undefined) throw error;
      return { done: true, value: undefined };
    }
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  async return(): Promise<Step<T>> {
    const left = !this.#end || this.#queue.length > 0;
    this.close();
    this.#queue.length = 0;
    if (left) this.#onLeave?.();
    return { done: true, value: undefined };
  }

  #wakeWriter(): void {
    this.#writer?.();
    this.#writer = undefined;
  }
}
