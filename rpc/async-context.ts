import { AsyncResource, executionAsyncId } from 'node:async_hooks';

/** The async context in which Lictor was loaded: that of no call. */
const outside = new AsyncResource('LICTOR');

/**
 * Runs what serves many calls (opens a connection, starts a watch, arms a timer) in a context of its own, outside the
 * call that happens to need it first. Otherwise its callbacks would see that call's AsyncLocalStorage for ever.
 */
export const outsideCalls = <T>(run: () => T): T =>
  outside.runInAsyncScope(() => new AsyncResource('LICTOR').runInAsyncScope(run));

/** The current async context, to run callbacks in later. Node takes half as long where the id is given as a number. */
export const currentContext = (): AsyncResource => new AsyncResource('LICTOR_CALL', executionAsyncId());

/** A stream whose steps (those of a generator, say) all run in one context, whoever asks for them. */
export class StreamInContext implements AsyncIterable<unknown> {
  readonly messages: AsyncIterable<unknown>;
  readonly context: AsyncResource;

  /** @param context by default the current one */
  constructor(messages: AsyncIterable<unknown>, context: AsyncResource = currentContext()) {
    this.messages = messages;
    this.context = context;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<unknown> {
    const { context, messages } = this;
    return new IteratorInContext(
      context.runInAsyncScope(() => messages[Symbol.asyncIterator]()),
      context,
    );
  }
}

/** It can be iterated itself, as a generator can: an interceptor may read the first message, and the others by `for await`. */
class IteratorInContext implements AsyncIterableIterator<unknown> {
  readonly #iterator: AsyncIterator<unknown>;
  readonly #context: AsyncResource;

  constructor(iterator: AsyncIterator<unknown>, context: AsyncResource) {
    this.#iterator = iterator;
    this.#context = context;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown>> {
    return this.#context.runInAsyncScope(this.#iterator.next, this.#iterator);
  }

  async return(): Promise<IteratorResult<unknown>> {
    const iterator = this.#iterator;
    if (iterator.return) await this.#context.runInAsyncScope(iterator.return, iterator);
    return { done: true, value: undefined };
  }
}

/** Whether a value can be iterated by `for await`. */
export const isStream = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
