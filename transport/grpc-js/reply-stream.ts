import type {
  ChannelInterface,
  Metadata as GrpcMetadata,
  InterceptingListener,
  StatusObject,
} from '@grpc/grpc-js';
import { outsideCalls } from '../../rpc/async-context.js';
import { RpcError } from '../../rpc/error.js';
import { Metadata } from '../../rpc/metadata.js';
import { Status } from '../../rpc/status.js';
import { pump, type Sink } from '../pump.js';
import { Readers } from '../readers.js';
import { failedRequests, unreadableReply } from '../reply-errors.js';
import type { Cancellable, ReplyStream, StreamCall } from '../transport.js';
import { errorFrom } from './error.js';
import { fromGrpc } from './metadata.js';
import { requestBytes } from './request.js';
import { writeFlags } from './write-flags.js';

type GrpcCall = ReturnType<ChannelInterface['createCall']>;
type Step = IteratorResult<unknown, undefined>;

/**
 * One streaming call on a channel. A reply is asked for when the reader asks, so its pace reaches the node. What grpc-js
 * does for it runs outside of the caller's context, in which it would leave timers of the channel.
 */
export class GrpcReplyStream
  implements InterceptingListener, ReplyStream, AsyncIterator<unknown, undefined>, Sink
{
  readonly header: Promise<Metadata>;
  readonly trailer = new Metadata();
  readonly #grpc: GrpcCall;
  readonly #call: StreamCall;
  readonly #address: string;
  readonly #maxMessageBytes: number;
  readonly #onEnd: (call: Cancellable, error: RpcError | undefined) => void;
  #stopRequests: () => void = () => {};
  #resolveHeader!: (header: Metadata) => void;
  readonly #readers = new Readers<unknown>();
  #early: Buffer | undefined; // A reply that came while nobody was waiting.
  #cancelled: RpcError | undefined;
  #headerCame = false;
  #left = false; // The reader has left, or could not read what came.
  #end: { error: RpcError | undefined } | undefined;

  constructor(
    grpc: GrpcCall,
    call: StreamCall,
    address: string,
    maxMessageBytes: number,
    onEnd: (call: Cancellable, error: RpcError | undefined) => void,
  ) {
    this.#grpc = grpc;
    this.#call = call;
    this.#address = address;
    this.#maxMessageBytes = maxMessageBytes;
    this.#onEnd = onEnd;
    this.header = new Promise((resolve) => {
      this.#resolveHeader = resolve;
    });
  }

  start(metadata: GrpcMetadata, requests: AsyncIterable<unknown>): void {
    outsideCalls(() => this.#grpc.start(metadata, this));
    this.#stopRequests = pump(requests, this);
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown, undefined> {
    return this;
  }

  next(): Promise<Step> {
    if (this.#left) return Promise.resolve({ done: true, value: undefined });
    const early = this.#early;
    if (early) {
      this.#early = undefined;
      return this.#decoded(early);
    }
    if (this.#end) {
      const { error } = this.#end;
      this.#end = { error: undefined };
      return error ? Promise.reject(error) : Promise.resolve({ done: true, value: undefined });
    }
    const step = this.#readers.wait();
    outsideCalls(() => this.#grpc.startRead());
    return step;
  }

  async return(): Promise<Step> {
    this.#leave(new RpcError(Status.CANCELLED, 'the reader left the stream'));
    return { done: true, value: undefined };
  }

  #leave(error: RpcError): void {
    this.#left = true;
    this.#early = undefined;
    this.#readers.end();
    this.cancel(error);
  }

  cancel(error: RpcError): void {
    if (this.#end) return;
    this.#cancelled ??= error;
    this.#grpc.cancelWithStatus(error.code, error.details);
  }

  onReceiveMetadata(header: GrpcMetadata): void {
    this.#headerCame = true;
    this.#resolveHeader(fromGrpc(header));
  }

  onReceiveMessage(message: Buffer | null): void {
    if (message === null || this.#left) return;
    const reader = this.#readers.take();
    if (!reader) {
      this.#early = message;
      return;
    }
    this.#decoded(message).then(reader.resolve, reader.reject);
    // It brings one reply, however often it was asked before that.
    if (!this.#readers.isEmpty) this.#grpc.startRead();
  }

  onReceiveStatus(status: StatusObject): void {
    if (this.#end) return;
    const error =
      status.code === Status.OK
        ? undefined
        : (this.#cancelled ?? errorFrom(status, this.#address, this.#headerCame));
    this.#end = { error: this.#readers.isEmpty ? error : undefined }; // A failure is told once.
    this.#stopRequests();
    this.trailer.merge(fromGrpc(status.metadata));
    this.#resolveHeader(new Metadata());
    this.#onEnd(this, error);
    this.#call.ended(error);
    this.#readers.end(error);
  }

  /** Sink of the requests. */
  write(message: unknown): Promise<void> | undefined {
    const bytes = requestBytes(this.#call.wire, message, this.#maxMessageBytes);
    // grpc-js calls back when the bytes have gone to the socket's buffer: that is the node's pace.
    return new Promise((resolve) => {
      const context = { callback: () => resolve(), ...writeFlags(this.#call, message) };
      outsideCalls(() => this.#grpc.sendMessageWithContext(context, bytes));
    });
  }

  end(): void {
    outsideCalls(() => this.#grpc.halfClose());
  }

  fail(reason: unknown): void {
    this.cancel(failedRequests(this.#call.wire.method, reason));
  }

  async #decoded(bytes: Buffer): Promise<Step> {
    try {
      return { done: false, value: this.#call.wire.reply.decode(bytes) };
    } catch (reason) {
      const error = unreadableReply(reason);
      this.#leave(error);
      throw error;
    }
  }
}
