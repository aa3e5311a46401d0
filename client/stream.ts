import { checkCompression } from '../codec/compression.js';
import type { CallOptions } from '../rpc/call.js';
import type { CompressionName } from '../rpc/compression.js';
import type { Deadline } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import type { Metadata } from '../rpc/metadata.js';
import { Status } from '../rpc/status.js';
import type { NodeLoad } from '../selector/load.js';
import type { ReplyStream, StreamCall } from '../transport/transport.js';
import type { WireMethod } from '../transport/wire-method.js';
import type { BoundMethod } from './bound-method.js';
import type { Routed, Routing } from './routing.js';
import { cancelledBy } from './unary.js';

/** One streaming call from its options to its end; the transport gets this very object. */
export class StreamInvocation implements StreamCall {
  readonly wire: WireMethod;
  readonly metadata: Metadata | undefined;
  readonly deadline: Deadline | undefined;
  readonly compression: CompressionName | undefined;
  readonly #routing: Routing;
  readonly #method: BoundMethod;
  readonly #requests: AsyncIterable<unknown>;
  readonly #options: CallOptions;
  readonly #signal: AbortSignal | undefined;
  #load: NodeLoad | undefined;
  #onAbort: (() => void) | undefined;
  #isOver = false;

  constructor(
    routing: Routing,
    method: BoundMethod,
    call: {
      requests: AsyncIterable<unknown>;
      metadata: Metadata | undefined;
      deadline: Deadline | undefined;
      signal: AbortSignal | undefined;
    },
    options: CallOptions,
  ) {
    this.#routing = routing;
    this.#method = method;
    this.wire = method.wire;
    this.metadata = call.metadata;
    this.deadline = call.deadline;
    this.#requests = call.requests;
    this.#signal = call.signal;
    this.#options = options;
    this.compression = options.compression;
  }

  /**
   * Sends it to a node. The replies must be iterated, or left with `return()`, for it to end.
   * @throws RpcError, or rejects with it
   */
  open(): ReplyStream | Promise<ReplyStream> {
    checkCompression(this.compression);
    if (this.#signal?.aborted) throw cancelledBy(this.#signal, false);
    const routed = this.#routing.route(this.#method, this.#options);
    if (routed) return this.#send(routed);
    return this.#routing
      .routeWhenKnown(this.#method, this.#options, this.deadline, this.#signal)
      .then((later) => this.#send(later));
  }

  #send(routed: Routed): ReplyStream {
    const signal = this.#signal;
    // It may have aborted between the first list of nodes and now.
    if (signal?.aborted) throw cancelledBy(signal, false);
    this.#load = routed.load;
    if (this.#load) this.#load.inFlight++;
    let stream: ReplyStream;
    try {
      stream = routed.connection.stream(this, this.#requests);
    } catch (reason) {
      this.ended();
      throw RpcError.from(reason, Status.INTERNAL);
    }
    if (signal && !this.#isOver) {
      this.#onAbort = () => stream.cancel(cancelledBy(signal, true));
      signal.addEventListener('abort', this.#onAbort);
    }
    const { onHeader, onTrailer } = this.#options;
    return onHeader || onTrailer ? telling(stream, onHeader, onTrailer) : stream;
  }

  ended(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#load) this.#load.inFlight--;
    if (this.#onAbort) this.#signal!.removeEventListener('abort', this.#onAbort);
  }
}

/** The stream, with header and trailer told; what those who are told throw fails the call. */
function telling(
  stream: ReplyStream,
  onHeader: CallOptions['onHeader'],
  onTrailer: CallOptions['onTrailer'],
): ReplyStream {
  let failure: RpcError | undefined;
  const headerTold = stream.header.then(onHeader).catch((reason: unknown) => {
    failure = RpcError.from(reason);
    stream.cancel(failure);
  });
  return {
    header: stream.header,
    get trailer() {
      return stream.trailer;
    },
    cancel: (error) => stream.cancel(error),
    async *[Symbol.asyncIterator]() {
      try {
        for await (const reply of stream) {
          await headerTold;
          if (failure) throw failure;
          yield reply;
        }
      } finally {
        told(onTrailer, stream.trailer);
      }
      await headerTold;
      if (failure) throw failure;
    },
  };
}

/** @throws RpcError for whatever the user's function threw */
function told(onTrailer: CallOptions['onTrailer'], trailer: Metadata): void {
  try {
    onTrailer?.(trailer);
  } catch (reason) {
    throw RpcError.from(reason);
  }
}
