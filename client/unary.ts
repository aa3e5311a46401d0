import { checkCompression } from '../codec/compression.js';
import { type Abortable, forgetAborted, tellWhenAborted } from '../rpc/aborted.js';
import type { CallOptions } from '../rpc/call.js';
import type { CompressionName } from '../rpc/compression.js';
import type { Deadline } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import type { Metadata } from '../rpc/metadata.js';
import { Status } from '../rpc/status.js';
import type { Cancellable, UnaryCall } from '../transport/transport.js';
import type { WireMethod } from '../transport/wire-method.js';
import type { BoundMethod } from './bound-method.js';
import { cancelledBy } from './cancelled-by.js';
import type { Routed, Routing } from './routing.js';
import { isUnsent, MAX_UNSENT } from './unsent.js';

/** One unary call from its options to its outcome; the transport gets this very object. */
export class UnaryInvocation implements UnaryCall, Abortable {
  readonly wire: WireMethod;
  readonly request: unknown;
  readonly metadata: Metadata | undefined;
  readonly deadline: Deadline | undefined;
  readonly wantsMetadata: boolean;
  readonly compression: CompressionName | undefined;
  readonly #method: BoundMethod;
  readonly #routing: Routing;
  readonly #options: CallOptions;
  readonly #signal: AbortSignal | undefined;
  readonly #settle: UnarySettle;
  #routed: Routed | undefined;
  #sent: Cancellable | undefined;
  #unsent = 0;

  constructor(
    routing: Routing,
    method: BoundMethod,
    call: {
      request: unknown;
      metadata: Metadata | undefined;
      deadline: Deadline | undefined;
      signal: AbortSignal | undefined;
    },
    options: CallOptions,
    wantsMetadata: boolean,
    settle: UnarySettle,
  ) {
    this.#routing = routing;
    this.#method = method;
    this.wire = method.wire;
    this.request = call.request;
    this.metadata = call.metadata;
    this.deadline = call.deadline;
    this.#signal = call.signal;
    this.#options = options;
    this.compression = options.compression;
    this.wantsMetadata = wantsMetadata || options.onHeader !== undefined || options.onTrailer !== undefined;
    this.#settle = settle;
  }

  start(): void {
    const signal = this.#signal;
    if (signal) {
      if (signal.aborted) return this.#end(cancelledBy(signal, false));
      tellWhenAborted(signal, this);
    }
    this.#attempt();
  }

  onAborted(signal: AbortSignal): void {
    this.#sent?.cancel(cancelledBy(signal, true));
  }

  #attempt(): void {
    try {
      checkCompression(this.compression);
      const routed = this.#routing.route(this.#method, this.#options);
      if (routed) return this.#send(routed);
    } catch (reason) {
      return this.#end(RpcError.from(reason, Status.INTERNAL));
    }
    this.#routing.routeWhenKnown(this.#method, this.#options, this.deadline, this.#signal).then(
      (routed) => this.#send(routed),
      (reason) => this.#end(RpcError.from(reason, Status.INTERNAL)),
    );
  }

  #send(routed: Routed): void {
    // It may have aborted between the first list of nodes and now.
    if (this.#signal?.aborted) return this.#end(cancelledBy(this.#signal, false));
    this.#routed = routed;
    if (routed.load) routed.load.inFlight++;
    try {
      this.#sent = routed.connection.unary(this);
    } catch (reason) {
      // Its contract forbids it, but a transport may be anybody's.
      this.done(RpcError.from(reason, Status.INTERNAL), undefined, undefined, undefined);
    }
  }

  done(
    error: RpcError | undefined,
    reply: unknown,
    header: Metadata | undefined,
    trailer: Metadata | undefined,
  ): void {
    const load = this.#routed?.load;
    if (load) load.inFlight--;
    if (error && load && isUnsent(error) && this.#unsent++ < MAX_UNSENT) return this.#attempt();
    this.#end(error, reply, header, trailer);
  }

  #end(error: RpcError | undefined, reply?: unknown, header?: Metadata, trailer?: Metadata): void {
    if (this.#signal) forgetAborted(this.#signal, this);
    const { onHeader, onTrailer } = this.#options;
    try {
      if (onHeader && header) onHeader(header);
      if (onTrailer && trailer) onTrailer(trailer);
    } catch (reason) {
      return this.#settle(RpcError.from(reason), undefined, header, trailer);
    }
    this.#settle(error, reply, header, trailer);
  }
}

export type UnarySettle = (
  error: RpcError | undefined,
  reply: unknown,
  header: Metadata | undefined,
  trailer: Metadata | undefined,
) => void;
