import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { UnaryCall } from '../transport.js';
import { ClientStream, metadataOrEmpty } from './client-stream.js';
import type { Fields } from './stream.js';

export class ClientUnary extends ClientStream<UnaryCall> {
  #reply: Uint8Array | undefined;
  #replyCompressed = false;
  #header: Fields | undefined;
  protected override readonly hasRoom = true;

  sendOnly(request: Uint8Array): void {
    void this.sendRequest(this.call.request, request, true);
  }

  protected override onHeader(fields: Fields): void {
    this.#header = fields;
  }

  protected override onReply(bytes: Uint8Array, compressed: boolean): void {
    if (this.#reply)
      throw new RpcError(
        Status.UNIMPLEMENTED,
        `${this.call.wire.method.path}: more than one reply to a unary call`,
      );
    this.#reply = bytes;
    this.#replyCompressed = compressed;
  }

  protected override onDone(error: RpcError | undefined, trailer: Fields | undefined): void {
    let failure = error;
    let reply: unknown;
    if (!failure && !this.#reply) {
      failure = new RpcError(
        Status.UNIMPLEMENTED,
        `${this.call.wire.method.path}: the call ended well, but without a reply`,
      );
    } else if (!failure) {
      try {
        reply = this.readReply(this.#reply!, this.#replyCompressed);
      } catch (reason) {
        failure = RpcError.from(reason, Status.INTERNAL);
      }
    }
    if (!this.call.wantsMetadata && !failure) return this.call.done(failure, reply, undefined, undefined);
    this.call.done(
      failure,
      reply,
      this.#header && metadataOrEmpty(this.#header),
      trailer && metadataOrEmpty(trailer),
    );
  }
}
