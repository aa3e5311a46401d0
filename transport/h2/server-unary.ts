import { deadlineExceeded } from '../../rpc/deadline.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { IncomingUnary } from '../transport.js';
import { ServerStream } from './server-stream.js';
import { STUCK_TICKS } from './stream.js';
import { tooMuchUnread, unreadBytes, withoutChunk } from './unread.js';

/** A unary call at the server's end. */
export class ServerUnary extends ServerStream implements IncomingUnary {
  #request: Uint8Array | undefined;
  #heldBytes = 0; // Of the budget, for a request that waits for its end.
  requestCompressed = false;
  #queuedBefore = 0;
  #stuckTicks = 0;
  protected override readonly hasRoom = true;

  protected override onRequest(bytes: Uint8Array, compressed: boolean): void {
    this.requestCompressed = compressed;
    if (this.#request) throw new RpcError(Status.UNIMPLEMENTED, 'more than one request to a unary method');
    this.#request = bytes;
  }

  override onData(buffer: Buffer, start: number, end: number, flowBytes: number, endStream: boolean): void {
    super.onData(buffer, start, end, flowBytes, endStream);
    if (!endStream && this.#request && this.#heldBytes === 0 && !this.isClosed) this.#hold(this.#request);
  }

  /** Most requests end with their only message. One that does not lies unread until it does. */
  #hold(request: Uint8Array): void {
    const bytes = unreadBytes(request);
    if (!this.connection.unread.take(bytes)) return this.breakOff(tooMuchUnread());
    this.#heldBytes = bytes;
    this.#request = withoutChunk(request);
  }

  override release(): void {
    super.release();
    this.#giveBack();
  }

  #giveBack(): void {
    this.connection.unread.giveBack(this.#heldBytes);
    this.#heldBytes = 0;
    this.#request = undefined;
  }

  /** A unary request comes at once and its reply is taken at once, also when the call has no deadline. */
  override onTick(): void {
    const { queuedBytes } = this;
    const isStuck = !this.remoteEnded || (queuedBytes > 0 && queuedBytes === this.#queuedBefore);
    this.#queuedBefore = queuedBytes;
    this.#stuckTicks = isStuck ? this.#stuckTicks + 1 : 0;
    if (this.#stuckTicks < STUCK_TICKS) return;
    this.giveUp(deadlineExceeded('the client has not sent its request, or not taken its reply, in time'));
  }

  protected override onEnd(): void {
    if (this.isAnswered) return this.closeIfEnded();
    const bytes = this.#request;
    if (!bytes) return this.fail(new RpcError(Status.UNIMPLEMENTED, 'no request to a unary method'));
    this.#giveBack();
    let request: unknown;
    try {
      request = this.readRequest(bytes, this.requestCompressed);
    } catch (reason) {
      return this.fail(RpcError.from(reason, Status.INTERNAL));
    }
    this.route.unary(this, request);
  }

  reply(message: unknown): void {
    if (this.isAnswered) return;
    try {
      void this.sendReply(message);
    } catch (reason) {
      return this.fail(RpcError.from(reason, Status.INTERNAL));
    }
    this.finish(undefined);
  }

  fail(error: RpcError): void {
    this.finish(error);
  }
}
