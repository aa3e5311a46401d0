import { RpcError } from '../../rpc/error.js';
import { Metadata } from '../../rpc/metadata.js';
import { Status } from '../../rpc/status.js';
import { pump, type Sink } from '../pump.js';
import type { ReplyStream, StreamCall } from '../transport.js';
import { ClientStream, metadataOrEmpty } from './client-stream.js';
import { Inbox } from './inbox.js';
import type { ClientOwner } from './owner.js';
import { pace } from './pace.js';
import type { Fields } from './stream.js';

/** A streaming call at the client's end. */
export class ClientReplyStream extends ClientStream implements ReplyStream, Sink {
  readonly header: Promise<Metadata>;
  readonly trailer = new Metadata();
  readonly #stream: StreamCall;
  readonly #inbox: Inbox;
  #resolveHeader!: (header: Metadata) => void;
  #stopRequests: () => void = () => {};

  constructor(connection: ClientOwner, id: number, call: StreamCall) {
    super(connection, id, call);
    this.#stream = call;
    this.header = new Promise((resolve) => {
      this.#resolveHeader = resolve;
    });
    this.#inbox = new Inbox(connection.unread, {
      read: (bytes, compressed) => this.readReply(bytes, compressed),
      onRoom: () => this.readerHasRoom(),
      onLeave: (error) => this.cancel(error),
    });
  }

  protected override get hasRoom(): boolean {
    return this.#inbox.isEmpty;
  }

  pumpFrom(requests: AsyncIterable<unknown>): void {
    this.#stopRequests = pump(requests, this);
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    return this.#inbox;
  }

  write(message: unknown): Promise<void> | undefined {
    return this.sendRequest(message, this.call.wire.request.encode(message), false) ?? pace();
  }

  end(): void {
    this.endAfterQueue();
  }

  fail(reason: unknown): void {
    this.cancel(RpcError.from(reason, Status.CANCELLED));
  }

  protected override onHeader(fields: Fields): void {
    this.#resolveHeader(metadataOrEmpty(fields));
  }

  protected override onReply(bytes: Uint8Array, compressed: boolean): void {
    this.#inbox.put(bytes, compressed);
  }

  override release(): void {
    super.release();
    this.#inbox.release();
  }

  protected override onDone(error: RpcError | undefined, trailer: Fields | undefined): void {
    if (trailer) this.trailer.merge(metadataOrEmpty(trailer));
    else this.#inbox.drop();
    this.#stopRequests();
    this.#resolveHeader(new Metadata());
    this.#inbox.close(error);
    this.#stream.ended();
  }
}
