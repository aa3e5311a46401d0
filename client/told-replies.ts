import type { AsyncResource } from 'node:async_hooks';
import { currentContext } from '../rpc/async-context.js';
import type { CallOptions } from '../rpc/call.js';
import { RpcError } from '../rpc/error.js';
import type { StreamInvocation } from './stream.js';

type Step = IteratorResult<unknown, undefined>;

/**
 * The replies of a stream. Calls `onHeader` and `onTrailer` in the async context of the call; what they throw fails the
 * call.
 */
export class ToldReplies implements AsyncIterableIterator<unknown, undefined> {
  readonly #replies: StreamInvocation;
  readonly #onHeader: CallOptions['onHeader'];
  readonly #onTrailer: CallOptions['onTrailer'];
  readonly #context: AsyncResource = currentContext();
  #headerTold: Promise<void> | undefined;
  #failure: RpcError | undefined;
  #isOver = false;

  constructor(replies: StreamInvocation, { onHeader, onTrailer }: CallOptions) {
    this.#replies = replies;
    this.#onHeader = onHeader;
    this.#onTrailer = onTrailer;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<Step> {
    if (this.#isOver) return DONE;
    this.#headerTold ??= this.#tellHeader();
    let step: Step;
    try {
      step = await this.#replies.next();
    } catch (error) {
      if (this.#isOver) return DONE;
      this.#end();
      throw error;
    }
    await this.#headerTold;
    if (this.#isOver) return DONE;
    if (this.#failure || step.done) this.#end();
    if (this.#failure) throw this.#failure;
    return step;
  }

  async return(): Promise<Step> {
    if (this.#isOver) return DONE;
    this.#isOver = true;
    await this.#replies.return();
    if (this.#headerTold) this.#end();
    return DONE;
  }

  async #tellHeader(): Promise<void> {
    const header = await this.#replies.header;
    if (this.#isOver) return;
    try {
      if (this.#onHeader) this.#context.runInAsyncScope(this.#onHeader, undefined, header);
    } catch (reason) {
      this.#failure = RpcError.from(reason);
      this.#replies.cancel(this.#failure);
    }
  }

  /** @throws RpcError for whatever the user's function threw */
  #end(): void {
    this.#isOver = true;
    try {
      if (this.#onTrailer) this.#context.runInAsyncScope(this.#onTrailer, undefined, this.#replies.trailer);
    } catch (reason) {
      throw RpcError.from(reason);
    }
  }
}

const DONE: Step = { done: true, value: undefined };
