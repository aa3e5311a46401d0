import { RpcError } from '../../rpc/error.js';
import { Metadata } from '../../rpc/metadata.js';
import { Status } from '../../rpc/status.js';
import { pump } from '../pump.js';
import { failedRequests, unreadableReply } from '../reply-errors.js';
import type { IncomingStream, ReplyStream, StreamCall } from '../transport.js';
import type { WireMethod } from '../wire-method.js';
import { arrived, MemoryCall, overTheWire, type Sent, sent } from './call.js';
import { Channel } from './channel.js';
import type { Link } from './endpoint.js';

export class MemoryStream extends MemoryCall implements IncomingStream {
  readonly #stream: StreamCall;
  readonly #header: Promise<Metadata>;
  readonly #received = new Metadata(); // The trailer as the client sees it.
  readonly #requests = new Channel((request: Sent) => this.#readRequest(request));
  readonly #replies: Channel<Sent, unknown>;
  #resolveHeader!: (header: Metadata) => void;
  #serverWire: WireMethod | undefined;
  #stopRequests: () => void = () => {};

  constructor(link: Link, call: StreamCall) {
    super(link, call);
    this.#stream = call;
    this.#replies = new Channel(
      (reply) => this.#readReply(reply),
      () => this.cancel(new RpcError(Status.CANCELLED, 'the reader left the stream')),
    );
    this.#header = new Promise((resolve) => {
      this.#resolveHeader = resolve;
    });
  }

  start(requests: AsyncIterable<unknown>): ReplyStream {
    this.#stopRequests = pump(requests, {
      write: (message) => this.#requests.write(this.request(message)),
      end: () => this.#requests.close(),
      fail: (reason) => this.cancel(failedRequests(this.call.wire.method, reason)),
    });
    process.nextTick(() => this.#arrive());
    return {
      header: this.#header,
      trailer: this.#received,
      cancel: (error) => this.cancel(error),
      [Symbol.asyncIterator]: () => this.#replies,
    };
  }

  #arrive(): void {
    if (this.isEnded) return;
    try {
      const { route, wire } = this.arrive();
      this.#serverWire = wire;
      this.endpoint!.context.runInAsyncScope(route.stream, route, this, this.#requests);
    } catch (reason) {
      this.finish(RpcError.from(reason, Status.INTERNAL));
    }
  }

  write(reply: unknown): Promise<void> | undefined {
    const message = sent(this.#serverWire!.reply, reply, this.compression);
    this.headerSent = true;
    this.#resolveHeader(new Metadata()); // A reply shows that no header comes any more.
    return this.#replies.write(message);
  }

  end(): void {
    this.finish(undefined);
  }

  fail(error: RpcError): void {
    this.finish(overTheWire(error, this.trailer, this.headerSent));
  }

  #readRequest(request: Sent): unknown {
    this.requestCompressed = request.compression !== 'identity';
    return this.#serverWire!.request.decode(arrived(request, this.endpoint!.options.maxMessageBytes));
  }

  #readReply(reply: Sent): unknown {
    try {
      return this.call.wire.reply.decode(arrived(reply, this.link.options.maxMessageBytes));
    } catch (reason) {
      throw unreadableReply(reason);
    }
  }

  sendHeader(header: Metadata): void {
    this.headerSent = true;
    this.#resolveHeader(header.clone());
  }

  protected override tell(error: RpcError | undefined): void {
    const trailer = error ? error.metadata : this.trailer;
    if (trailer) this.#received.merge(trailer);
    this.#stopRequests();
    this.#requests.close(new RpcError(Status.CANCELLED, 'the requests ended early'));
    this.#replies.close(error);
    this.#resolveHeader(new Metadata());
    this.#stream.ended(error);
  }
}
