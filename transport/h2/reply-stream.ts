import type { RpcError } from '../../rpc/error.js';
import { Metadata } from '../../rpc/metadata.js';
import { pump, type Sink } from '../pump.js';
import { failedRequests } from '../reply-errors.js';
import type { ReplyStream, StreamCall } from '../transport.js';
import { ClientStream, metadataOrEmpty } from './client-stream.js';
import { Inbox } from './inbox.js';
import type { ClientOwner } from './owner.js';
import { pace } from './pace.js';
import type { RepeatableRequests } from './repeatable-requests.js';
import type { Fields } from './stream.js';

/** A streaming call at the client's end. */
export class ClientReplyStream extends ClientStream<StreamCall> implements ReplyStream, Sink {
  readonly header: Promise<Metadata>;
  readonly trailer: Metadata;
  readonly #first: ClientReplyStream; // The one that the caller has.
  readonly #inbox: Inbox;
  readonly #requests: RepeatableRequests;
  #last: ClientReplyStream = this; // Of the first, the one that was sent last.
  #resolveHeader!: (header: Metadata) => void;
  #stopRequests: () => unknown = () => {};

  /** @param before the stream that is sent again, whose caller is told of this one */
  constructor(
    connection: ClientOwner,
    id: number,
    call: StreamCall,
    requests: RepeatableRequests,
    before?: ClientReplyStream,
  ) {
    super(connection, id, call, before ? before.tries + 1 : 0);
    if (before) {
      this.header = before.header;
      this.#resolveHeader = before.#resolveHeader;
    } else {
      this.header = new Promise((resolve) => {
        this.#resolveHeader = resolve;
      });
    }
    this.#first = before ? before.#first : this;
    this.#first.#last = this;
    this.trailer = before?.trailer ?? new Metadata();
    this.#requests = requests;
    this.#inbox = before
      ? before.#inbox
      : new Inbox({
          read: (bytes, compressed) => this.#last.readReply(bytes, compressed),
          onRoom: () => this.#last.readerHasRoom(),
          onLeave: (error) => this.cancel(error),
        });
    this.#inbox.countIn(connection.unread);
  }

  protected override get hasRoom(): boolean {
    return this.#inbox.isEmpty;
  }

  sendRequests(): void {
    this.#stopRequests = pump(this.#requests, this);
  }

  protected override get canRepeat(): boolean {
    return this.#requests.canRepeat;
  }

  /** The requests are left to the stream that is sent in place of this; until it is, they are this one's to end. */
  makeWay(): RepeatableRequests {
    this.#requests.part();
    this.#stopRequests();
    this.#stopRequests = () => this.#requests.end();
    return this.#requests;
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
    this.cancel(failedRequests(this.call.wire.method, reason));
  }

  protected override onHeader(fields: Fields): void {
    this.#requests.forget();
    this.#resolveHeader(metadataOrEmpty(fields));
  }

  protected override onReply(bytes: Uint8Array, compressed: boolean): void {
    this.#inbox.put(bytes, compressed);
  }

  override release(): void {
    super.release();
    // One that is sent again has gone on to its next connection's budget.
    if (this.#first.#last === this) this.#inbox.release();
  }

  protected override onDone(error: RpcError | undefined, trailer: Fields | undefined): void {
    if (trailer) this.trailer.merge(metadataOrEmpty(trailer));
    else this.#inbox.drop();
    this.#stopRequests();
    this.#resolveHeader(new Metadata());
    this.#inbox.close(error);
    this.call.ended(error);
  }
}
