import type {
  ChannelInterface,
  Metadata as GrpcMetadata,
  InterceptingListener,
  StatusObject,
} from '@grpc/grpc-js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { unreadableReply } from '../reply-errors.js';
import type { Cancellable, UnaryCall } from '../transport.js';
import { errorFrom } from './error.js';
import { fromGrpc } from './metadata.js';
import { writeFlags } from './write-flags.js';

type GrpcCall = ReturnType<ChannelInterface['createCall']>;

/** One unary call on a channel. It is the listener itself, so that a call makes no closures. */
export class GrpcUnary implements InterceptingListener, Cancellable {
  readonly #grpc: GrpcCall;
  readonly #call: UnaryCall;
  readonly #address: string;
  readonly #onEnd: (call: Cancellable, error: RpcError | undefined) => void;
  #reply: Buffer | undefined;
  #header: GrpcMetadata | undefined;
  #cancelled: RpcError | undefined;
  #ended = false;
  #headerCame = false;

  constructor(
    grpc: GrpcCall,
    call: UnaryCall,
    address: string,
    onEnd: (call: Cancellable, error: RpcError | undefined) => void,
  ) {
    this.#grpc = grpc;
    this.#call = call;
    this.#address = address;
    this.#onEnd = onEnd;
  }

  start(metadata: GrpcMetadata, request: Buffer): void {
    this.#grpc.start(metadata, this);
    this.#grpc.sendMessageWithContext(writeFlags(this.#call, this.#call.request), request);
    this.#grpc.halfClose();
    this.#grpc.startRead();
  }

  onReceiveMetadata(header: GrpcMetadata): void {
    this.#headerCame = true;
    this.#header = header;
  }

  onReceiveMessage(message: Buffer | null): void {
    if (message === null) return;
    if (this.#reply === undefined) {
      this.#reply = message;
      this.#grpc.startRead();
    } else {
      this.cancel(
        new RpcError(
          Status.UNIMPLEMENTED,
          `${this.#call.wire.method.path}: more than one reply to a unary call`,
        ),
      );
    }
  }

  onReceiveStatus(status: StatusObject): void {
    if (this.#ended) return;
    this.#ended = true;
    let error =
      status.code === Status.OK
        ? undefined
        : (this.#cancelled ?? errorFrom(status, this.#address, this.#headerCame));
    let reply: unknown;
    if (!error && this.#reply === undefined) {
      error = new RpcError(
        Status.UNIMPLEMENTED,
        `${this.#call.wire.method.path}: the call ended well, but without a reply`,
      );
    } else if (!error) {
      try {
        reply = this.#call.wire.reply.decode(this.#reply!);
      } catch (reason) {
        error = unreadableReply(reason);
      }
    }
    this.#onEnd(this, error);
    if (!this.#call.wantsMetadata && !error) return this.#call.done(error, reply, undefined, undefined);
    this.#call.done(error, reply, this.#header && fromGrpc(this.#header), fromGrpc(status.metadata));
  }

  cancel(error: RpcError): void {
    if (this.#ended) return;
    this.#cancelled ??= error;
    this.#grpc.cancelWithStatus(error.code, error.details);
  }
}
