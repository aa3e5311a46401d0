import { RpcError } from './error.js';
import { Status } from './status.js';

type Step = IteratorResult<unknown, undefined>;

/**
 * Messages as they are, and `done` told once how they ended; left before their end, that is CANCELLED. No generator:
 * `return()` does not run the body of one that was never begun, and waits behind a `next()` that waits.
 */
export class Watched implements AsyncIterableIterator<unknown, undefined> {
  readonly #messages: AsyncIterable<unknown>;
  #iterator: AsyncIterator<unknown> | undefined;
  #done: ((error: RpcError | undefined) => void) | undefined;
  #isLeft = false;

  constructor(messages: AsyncIterable<unknown>, done: (error: RpcError | undefined) => void) {
    this.#messages = messages;
    this.#done = done;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<Step> {
    let step: IteratorResult<unknown>;
    try {
      step = await this.#begun().next();
    } catch (error) {
      this.#over(RpcError.from(error));
      // As it was thrown: made into an RpcError, the text of a handler's unexpected error would reach the client.
      throw error;
    }
    if (!step.done) return step;
    this.#over(this.#isLeft ? left() : undefined);
    return { done: true, value: undefined };
  }

  async return(): Promise<Step> {
    this.#isLeft = true;
    try {
      await this.#begun().return?.();
    } finally {
      this.#over(left());
    }
    return { done: true, value: undefined };
  }

  #begun(): AsyncIterator<unknown> {
    this.#iterator ??= this.#messages[Symbol.asyncIterator]();
    return this.#iterator;
  }

  #over(error: RpcError | undefined): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(error);
  }
}

const left = () => new RpcError(Status.CANCELLED, 'the stream was left before its end');
