import { type Abortable, forgetAborted, tellWhenAborted } from '../rpc/aborted.js';
import { currentContext } from '../rpc/async-context.js';
import { RpcError } from '../rpc/error.js';
import { LateIterator } from '../rpc/late-iterator.js';
import { Status } from '../rpc/status.js';
import { Watched } from '../rpc/watched.js';

/**
 * The replies of a stream that goes through interceptors. They may still be waiting, or may have wrapped the replies
 * in a generator that hears of no `return()`: so the call's signal is one that aborts too when the reader leaves.
 * @param open begins the call when the first reply is asked for, in the async context of the caller
 */
export function interceptedReplies(
  signal: AbortSignal | undefined,
  open: (signal: AbortSignal) => Promise<AsyncIterable<unknown>>,
): AsyncIterable<unknown> {
  let end: CallEnd | undefined;
  const context = currentContext();
  return new LateIterator(
    async () => {
      end = new CallEnd(signal);
      try {
        const replies = await context.runInAsyncScope(open, undefined, end.signal);
        return signal ? new Watched(replies, () => end!.unlink()) : replies;
      } catch (reason) {
        // What was sent before an interceptor failed is not wanted any more.
        end.leave();
        throw reason;
      }
    },
    () => end?.leave(),
  );
}

class CallEnd implements Abortable {
  readonly #controller = new AbortController();
  readonly #users: AbortSignal | undefined;

  constructor(users: AbortSignal | undefined) {
    this.#users = users;
    if (users?.aborted) this.#controller.abort(users.reason);
    else if (users) tellWhenAborted(users, this);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  onAborted({ reason }: AbortSignal): void {
    this.#controller.abort(reason);
  }

  leave(): void {
    this.unlink();
    this.#controller.abort(new RpcError(Status.CANCELLED, 'the reader left the stream'));
  }

  unlink(): void {
    if (this.#users) forgetAborted(this.#users, this);
  }
}
