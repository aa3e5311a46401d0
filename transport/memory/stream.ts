import { RpcError } from '../../rpc/error.js';
import { Metadata } from '../../rpc/metadata.js';
import type { MessageCodec } from '../../rpc/service.js';
import { Status } from '../../rpc/status.js';
import { pump } from '../pump.js';
import type { IncomingStream, ReplyStream, StreamCall } from '../transport.js';
import { arrived, MemoryCall, overTheWire, type Sent, sent } from './call.js';
import { Channel } from './channel.js';
import type { Link } from './endpoint.js';

export class MemoryStream extends MemoryCall implements IncomingStream {
  readonly #stream: StreamCall;
  readonly #header: Promise<Metadata>;
  readonly #received = new Metadata(); // The trailer as the client sees it.
  readonly #requests = new Channel<Sent>();
  readonly #replies: Channel<Sent>;
  #resolveHeader!: (header: Metadata) => void;
  #replyCodec: MessageCodec | undefined;
  #stopRequests: () => void = () => {};

  constructor(link: Link, call: StreamCall) {
    super(link, call);
    this.#stream = call;
    this.#replies = new Channel(() =>
      this.cancel(new RpcError(Status.CANCELLED, 'the reader left the stream')),
    );
    this.#header = new Promise((resolve) => {
      this.#resolveHeader = resolve;
    });
  }

  start(requests: AsyncIterable<unknown>): ReplyStream {
    this.#stopRequests = pump(requests, {
      write: (message) => this.#requests.write(this.request(message)),
      end: () => this.#requests.close(),
      fail: (reason) => this.cancel(RpcError.from(reason, Status.CANCELLED)),
    });
    process.nextTick(() => this.#arrive());
    return {
      header: this.#header,
      trailer: this.#received,
      cancel: (error) => this.cancel(error),
      [Symbol.asyncIterator]: () => this.#decodedReplies(),
    };
  }

  #arrive(): void {
    if (this.isEnded) return;
    try {
      const { route, wire } = this.arrive();
      this.#replyCodec = wire.reply;
      route.stream(this, this.#decodedRequests(wire.request, this.endpoint!.options.maxMessageBytes));
    } catch (reason) {
      this.finish(RpcError.from(reason, Status.INTERNAL));
    }
  }

  write(reply: unknown): Promise<void> | undefined {
    const message = sent(this.#replyCodec!, reply, this.compression);
    this.headerSent = true;
    this.#resolveHeader(new Metadata()); // A reply shows that no header comes any more.
    return this.#replies.write(message);
  }

  end(): void {
    this.finish(undefined);
  }

  fail(error: RpcError): void {
    this.finish(overTheWire(error, this.trailer));
  }

  async *#decodedRequests(codec: MessageCodec, maxBytes: number) {
    for await (const request of this.#requests) {
      this.requestCompressed = request.compression !== 'identity';
      yield codec.decode(arrived(request, maxBytes));
    }
  }

  async *#decodedReplies() {
    const { reply } = this.call.wire;
    const { maxMessageBytes } = this.link.options;
    for await (const one of this.#replies) yield reply.decode(arrived(one, maxMessageBytes));
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
    this.#stream.ended();
  }
}
