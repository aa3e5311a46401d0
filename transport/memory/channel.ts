import { Readers } from '../readers.js';

const CAPACITY = 16;

type Step<T> = IteratorResult<T, undefined>;

/** A bounded queue between one writer and one reader. A full one makes the writer wait. */
export class Channel<In, Out> implements AsyncIterable<Out>, AsyncIterator<Out, undefined> {
  readonly #read: (value: In) => Out;
  readonly #onLeave: (() => void) | undefined;
  readonly #queue: In[] = [];
  readonly #readers = new Readers<Out>();
  #end: { error: unknown } | undefined;
  #writer: (() => void) | undefined;

  /**
   * @param read makes what the reader gets of what was written, when it is read
   * @param onLeave told when the reader leaves before the end, or cannot read what was written
   */
  constructor(read: (value: In) => Out, onLeave?: () => void) {
    this.#read = read;
    this.#onLeave = onLeave;
  }

  /** A promise when the reader has to catch up before the next one. */
  write(value: In): Promise<void> | undefined {
    if (this.#end) return undefined;
    const reader = this.#readers.take();
    if (reader) {
      this.#step(value).then(reader.resolve, reader.reject);
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
    this.#end = { error: this.#readers.isEmpty ? error : undefined }; // A failure is told once.
    if (error !== undefined) this.#queue.length = 0;
    this.#wakeWriter();
    this.#readers.end(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<Out, undefined> {
    return this;
  }

  async next(): Promise<Step<Out>> {
    if (this.#queue.length > 0) {
      const value = this.#queue.shift()!;
      this.#wakeWriter();
      return this.#step(value);
    }
    if (this.#end) {
      const { error } = this.#end;
      this.#end = { error: undefined };
      if (error !== undefined) throw error;
      return { done: true, value: undefined };
    }
    return this.#readers.wait();
  }

  async return(): Promise<Step<Out>> {
    this.#leave();
    return { done: true, value: undefined };
  }

  async #step(value: In): Promise<Step<Out>> {
    try {
      return { done: false, value: this.#read(value) };
    } catch (reason) {
      this.#leave();
      throw reason;
    }
  }

  #leave(): void {
    const left = !this.#end || this.#queue.length > 0;
    this.close();
    this.#queue.length = 0;
    this.#end = { error: undefined };
    if (left) this.#onLeave?.();
  }

  #wakeWriter(): void {
    this.#writer?.();
    this.#writer = undefined;
  }
}
