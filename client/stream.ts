import { checkCompression } from '../codec/compression.js';
import type { CallOptions } from '../rpc/call.js';
import type { Deadline } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
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
  checkCompression(options.compression);
  if (signal?.aborted) throw cancelledBy(signal, false);
  const { connection, load } =
    routing.route(method, options) ?? (await routing.routeWhenKnown(method, options, deadline, signal));
  if (signal?.aborted) throw cancelledBy(signal, false);
  const stream = connection.stream(
    { wire: method.wire, metadata, deadline, compression: options.compression },
    call.requests,
  );
  if (load) load.inFlight++;
  const onAbort = signal && (() => stream.cancel(cancelledBy(signal, true)));
  if (onAbort) signal.addEventListener('abort', onAbort);
  const { onHeader } = options;
  if (onHeader) stream.header.then(onHeader).catch((reason: unknown) => stream.cancel(RpcError.from(reason)));
  const ended = () => {
    if (load) load.inFlight--;
    if (onAbort) signal.removeEventListener('abort', onAbort);
    told(options, stream.trailer);
  };
  return { replies: untilEnd(stream, ended), header: stream.header, trailer: stream.trailer };
}

/** @throws RpcError for whatever the user's function threw */
function told({ onTrailer }: CallOptions, trailer: Metadata): void {
  try {
    onTrailer?.(trailer);
  } catch (reason) {
    throw RpcError.from(reason);
  }
}

async function* untilEnd(stream: ReplyStream, ended: () => void): AsyncGenerator<unknown, void> {
  try {
    yield* stream;
  } finally {
    ended();
  }
}
