import type { Channel, Metadata as GrpcMetadata } from '@grpc/grpc-js';
import { parseAddress } from '../../rpc/address.js';
import { outsideCalls } from '../../rpc/async-context.js';
import { remainingMs } from '../../rpc/deadline.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type {
  Cancellable,
  Connection,
  ConnectOptions,
  OutgoingCall,
  ReplyStream,
  StreamCall,
  UnaryCall,
} from '../transport.js';
import { channelCredentials } from './credentials.js';
import { toGrpc, typedMetadata } from './metadata.js';
import { channelOptions } from './options.js';
import { grpc } from './package.js';
import { GrpcReplyStream } from './reply-stream.js';
import { requestBytes } from './request.js';
import { GrpcUnary } from './unary.js';
import { checkCompression } from './write-flags.js';

/** One grpc-js channel to one node. */
export class GrpcConnection implements Connection {
  readonly #address: string;
  readonly #options: ConnectOptions;
  #channel: Channel;
  readonly #onReachable: (reachable: boolean) => void;
  readonly #calls = new Set<Cancellable>();
  #reachable = true;
  #watching = false;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: ConnectOptions) {
    this.#address = options.address;
    this.#options = options;
    this.#onReachable = options.onReachable;
    this.#channel = channelFor(options);
  }

  unary(call: UnaryCall): Cancellable {
    let request: Buffer;
    try {
      checkCompression(call, this.#options);
      request = requestBytes(call.wire, call.request, this.#options.maxMessageBytes);
      this.#refuseWhenClosed();
    } catch (reason) {
      const error = unsent(reason);
      process.nextTick(() => call.done(error, undefined, undefined, undefined));
      return { cancel() {} };
    }
    const unary = new GrpcUnary(this.#create(call), call, this.#address, this.#ended);
    this.#calls.add(unary);
    // It may open the connection, and the call's end arms the channel's timers.
    outsideCalls(() => unary.start(metadataOf(call), request));
    return unary;
  }

  stream(call: StreamCall, requests: AsyncIterable<unknown>): ReplyStream {
    this.#refuseWhenClosed();
    checkCompression(call, this.#options);
    const stream = new GrpcReplyStream(
      this.#create(call),
      call,
      this.#address,
      this.#options.maxMessageBytes,
      this.#ended,
    );
    this.#calls.add(stream);
    stream.start(metadataOf(call), requests);
    return stream;
  }

  /** grpc-js waits up to five seconds before it connects again, and lets nobody cut that short: another channel does not. */
  connectNow(): void {
    const failed = this.#channel;
    const state = failed.getConnectivityState(false);
    if (this.#closing || state !== grpc().connectivityState.TRANSIENT_FAILURE) return;
    this.#channel = channelFor(this.#options);
    failed.close();
    this.#watch();
  }

  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    if (this.#calls.size > 0 && graceMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        this.#onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const error = new RpcError(
      Status.UNAVAILABLE,
      `the connection to ${this.#address} was closed by this client: its node has left, or the client was closed`,
    );
    for (const call of [...this.#calls]) call.cancel(error);
    this.#channel.close();
  }

  #create(call: OutgoingCall) {
    const left = remainingMs(call.deadline);
    // The first call opens the connection.
    return outsideCalls(() => {
      if (!this.#watching) this.#watch();
      return this.#channel.createCall(call.wire.method.path, Date.now() + left, null, null, null);
    });
  }

  readonly #ended = (call: Cancellable, error: RpcError | undefined) => {
    this.#calls.delete(call);
    if (this.#calls.size === 0) this.#onIdle?.();
    // The failed call may be told before the channel's own change of state is.
    if (error?.code === Status.UNAVAILABLE && !this.#closing) this.#look();
  };

  /** Follows the channel's state for as long as it lives, from the first call on. */
  #watch(): void {
    this.#watching = true;
    const channel = this.#channel;
    const state = channel.getConnectivityState(true);
    channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => {
      if (this.#closing || channel !== this.#channel) return;
      this.#look();
      this.#watch();
    });
  }

  #look(): void {
    const { connectivityState } = grpc();
    const state = this.#channel.getConnectivityState(false);
    if (state === connectivityState.READY) this.#setReachable(true);
    // A connection that stood and is gone is IDLE; one that could not be made is TRANSIENT_FAILURE.
    else if (state !== connectivityState.CONNECTING) this.#setReachable(false);
  }

  #setReachable(reachable: boolean): void {
    if (this.#reachable === reachable) return;
    this.#reachable = reachable;
    this.#onReachable(reachable);
  }

  #refuseWhenClosed(): void {
    if (this.#closing)
      throw new RpcError(Status.UNAVAILABLE, `the connection to ${this.#address} is closed`, {
        maybeExecuted: false,
      });
  }
}

function channelFor(options: ConnectOptions): Channel {
  const { Channel } = grpc();
  return outsideCalls(
    () => new Channel(target(options.address), channelCredentials(options.tls), channelOptions(options)),
  );
}

function target(address: string): string {
  const parsed = parseAddress(address);
  return parsed.kind === 'unix' ? address : `dns:///${address}`;
}

const metadataOf = (call: OutgoingCall): GrpcMetadata =>
  toGrpc(call.metadata, typedMetadata(call.wire.contentType));

function unsent(reason: unknown): RpcError {
  const error = RpcError.from(reason, Status.INTERNAL);
  return new RpcError(error.code, error.details, { cause: error.cause ?? reason, maybeExecuted: false });
}
