import type { CallOptions } from '../rpc/call.js';
import type { Deadline } from '../rpc/deadline.js';
import type { Metadata } from '../rpc/metadata.js';
import type { ReplyStream } from '../transport/transport.js';
import type { BoundMethod } from './bound-method.js';
import type { Routing } from './routing.js';
import { cancelledBy } from './unary.js';

/** A streaming call that is under way. */
export type OpenStream = {
  readonly replies: AsyncIterable<unknown>;
  readonly header: Promise<Metadata>;
  /** Complete when the replies have ended. */
  readonly trailer: Metadata;
};

/** Sends a streaming call to a node. The replies must be iterated, or left with `return()`, for it to end. */
export async function openStream(
  routing: Routing,
  method: BoundMethod,
  call: {
    requests: AsyncIterable<unknown>;
    metadata: Metadata | undefined;
    deadline: Deadline | undefined;
    signal: AbortSignal | undefined;
  },
  options: CallOptions,
): Promise<OpenStream> {
  const { signal, deadline, metadata } = call;
  if (signal?.aborted) throw cancelledBy(signal, false);
  const { connection, load } =
    routing.route(method, options) ?? (await routing.routeWhenKnown(method, options, deadline, signal));
  const stream = connection.stream({ wire: method.wire, metadata, deadline }, call.requests);
  if (load) load.inFlight++;
  const onAbort = signal && (() => stream.cancel(cancelledBy(signal, true)));
  if (onAbort) signal.addEventListener('abort', onAbort);
  if (options.onHeader) void stream.header.then(options.onHeader);
  const ended = () => {
    if (load) load.inFlight--;
    if (onAbort) signal.removeEventListener('abort', onAbort);
    options.onTrailer?.(stream.trailer);
  };
  return { replies: untilEnd(stream, ended), header: stream.header, trailer: stream.trailer };
}

async function* untilEnd(stream: ReplyStream, ended: () => void): AsyncGenerator<unknown, void> {
  try {
    yield* stream;
  } finally {
    ended();
  }
}
