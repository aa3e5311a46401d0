import type {
  ChannelInterface,
  Metadata as GrpcMetadata,
  InterceptingListener,
  StatusObject,
} from '@grpc/grpc-js';
import { RpcError } from '../../rpc/error.js';
import { Metadata } from '../../rpc/metadata.js';
import { Status } from '../../rpc/status.js';
import { pump, type Sink } from '../pump.js';
import type { Cancellable, ReplyStream, StreamCall } from '../transport.js';
import { errorFrom } from './error.js';
import { fromGrpc } from './metadata.js';
import { requestBytes } from './request.js';
import { writeFlags } from './write-flags.js';

type GrpcCall = ReturnType<ChannelInterface['createCall']>;
type Step = IteratorResult<unknown, undefined>;

/** One streaming call on a channel. A reply is asked for when the reader asks, so its pace reaches the node. */
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
  #waiting: { resolve: (step: Step) => void; reject: (error: RpcError) => void } | undefined;
  #early: Buffer | undefined; // A reply that came while nobody was waiting.
  #cancelled: RpcError | undefined;
  #headerCame = false;
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
    this.#grpc.start(metadata, this);
    this.#stopRequests = pump(requests, this);
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown, undefined> {
    return this;
  }

  next(): Promise<Step> {
    const early = this.#early;
    if (early) {
      this.#early = undefined;
      return this.#decoded(early);
    }
    if (this.#end) {
      const { error } = this.#end;
      this.#end = { error: undefined }; // A failure is told once; after it the iteration is over.
      return error ? Promise.reject(error) : Promise.resolve({ done: true, value: undefined });
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#grpc.startRead();
    });
  }

  async return(): Promise<Step> {
    this.cancel(new RpcError(Status.CANCELLED, 'the reader left the stream'));
    return { done: true, value: undefined };
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
    if (message === null) return;
    const waiting = this.#waiting;
    if (!waiting) {
      this.#early = message;
      return;
    }
    this.#waiting = undefined;
    this.#decoded(message).then(waiting.resolve, waiting.reject);
  }

  onReceiveStatus(status: StatusObject): void {
    if (this.#end) return;
    const error =
      status.code === Status.OK
        ? undefined
        : (this.#cancelled ?? errorFrom(status, this.#address, this.#headerCame));
    this.#end = { error };
    this.#stopRequests();
    this.trailer.merge(fromGrpc(status.metadata));
    this.#resolveHeader(new Metadata());
    this.#onEnd(this, error);
    this.#call.ended();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (!waiting) return;
    this.#end = { error: undefined };
    if (error) waiting.reject(error);
    else waiting.resolve({ done: true, value: undefined });
  }

  /** Sink of the requests. */
  write(message: unknown): Promise<void> | undefined {
    const bytes = requestBytes(this.#call.wire, message, this.#maxMessageBytes);
    // grpc-js calls back when the bytes have gone to the socket's buffer: that is the node's pace.
    return new Promise((resolve) => {
      this.#grpc.sendMessageWithContext(
        { callback: () => resolve(), ...writeFlags(this.#call, message) },
        bytes,
      );
    });
  }

  end(): void {
    this.#grpc.halfClose();
  }

  fail(reason: unknown): void {
    this.cancel(RpcError.from(reason, Status.CANCELLED));
  }

  async #decoded(bytes: Buffer): Promise<Step> {
    try {
      return { done: false, value: this.#call.wire.reply.decode(bytes) };
    } catch (reason) {
      const error = RpcError.from(reason, Status.INTERNAL);
      this.cancel(error);
      throw error;
    }
  }
}
