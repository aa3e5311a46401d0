import { isStream, StreamInContext } from '../rpc/async-context.js';
import { streamsRequests } from '../rpc/call.js';
import { RpcError } from '../rpc/error.js';
import type { Method } from '../rpc/service.js';
import { Status } from '../rpc/status.js';

/** The requests of a stream, for as many nodes as it takes to find one that can be reached. */
export interface Requests {
  /** Whether `open` gives all of them again. */
  readonly canReplay: boolean;
  open(): AsyncIterable<unknown>;
}

/** The caller's requests, whose steps run in the current async context, whoever reads them and when. */
export const inCallersContext = (method: Method, message: unknown): unknown =>
  streamsRequests(method) && isStream(message) && !(message instanceof StreamInContext)
    ? new StreamInContext(message)
    : message;

/**
 * @throws RpcError INVALID_ARGUMENT for what cannot be iterated, where the method wants that
 */
export function requestsOf(method: Method, message: unknown): Requests {
  if (!streamsRequests(method)) return { canReplay: true, open: () => one(message) };
  if (isStream(message)) return new Stream(message);
  throw new RpcError(
    Status.INVALID_ARGUMENT,
    `${method.path} takes an AsyncIterable of requests, got ${message === null ? 'null' : typeof message}`,
    { maybeExecuted: false },
  );
}

async function* one(request: unknown) {
  yield request;
}

/** An iteration cannot be begun twice, so it can go to another node only while nobody has asked for the first. */
class Stream implements Requests, AsyncIterable<unknown> {
  readonly #messages: AsyncIterable<unknown>;
  canReplay = true;

  constructor(messages: AsyncIterable<unknown>) {
    this.#messages = messages;
  }

  open(): AsyncIterable<unknown> {
    return this;
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    this.canReplay = false;
    return this.#messages[Symbol.asyncIterator]();
  }
}
