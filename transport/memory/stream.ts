import { RpcError } from '../../rpc/error.js';
import { Metadata } from '../../rpc/metadata.js';
import type { MessageCodec } from '../../rpc/service.js';
import { Status } from '../../rpc/status.js';
import { pump } from '../pump.js';
import type { CompressionName, IncomingStream, ReplyStream, StreamCall } from '../transport.js';
import { arrived, MemoryCall, overTheWire } from './call.js';
import { Channel } from './channel.js';
import type { Link } from './endpoint.js';

export class MemoryStream extends MemoryCall implements IncomingStream {
  readonly #stream: StreamCall;
  readonly #header: Promise<Metadata>;
  readonly #received = new Metadata(); // The trailer as the client sees it.
  readonly #requests = new Channel<Uint8Array>();
  readonly #replies: Channel<Uint8Array>;
  #resolveHeader!: (header: Metadata) => void;
  #compression: CompressionName = 'identity'; // Of the replies.
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
    const codec = this.call.wire.request;
    this.#stopRequests = pump(requests, {
      write: (message) => this.#requests.write(codec.encode(message).slice()),
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
      const { maxMessageBytes, compression } = this.endpoint!.options;
      this.#compression = compression;
      const requests = decoded(this.#requests, wire.request, this.link.options.compression, maxMessageBytes);
      this.#replyCodec = wire.reply;
      route.stream(this, requests);
    } catch (reason) {
      this.finish(RpcError.from(reason, Status.INTERNAL));
    }
  }

  write(reply: unknown): Promise<void> | undefined {
    const bytes = this.#replyCodec!.encode(reply).slice();
    this.#resolveHeader(new Metadata()); // A reply shows that no header comes any more.
    return this.#replies.write(bytes);
  }

  end(): void {
    this.finish(undefined);
  }

  fail(error: RpcError): void {
    this.finish(overTheWire(error, this.trailer));
  }

  async *#decodedReplies() {
    // The server's compression is known when it has taken the call, which is before its first reply.
    const { reply } = this.call.wire;
    const { maxMessageBytes } = this.link.options;
    for await (const bytes of this.#replies)
      yield reply.decode(arrived(bytes, this.#compression, maxMessageBytes));
  }

  sendHeader(header: Metadata): void {
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

async function* decoded(
  messages: AsyncIterable<Uint8Array>,
  codec: MessageCodec,
  compression: CompressionName,
  maxBytes: number,
) {
  for await (const bytes of messages) yield codec.decode(arrived(bytes, compression, maxBytes));
}
