import { compressionNamed } from '../../codec/compression.js';
import type { Peer } from '../../rpc/call.js';
import { type CompressionName, isUncompressed } from '../../rpc/compression.js';
import { type Deadline, deadlineExceeded } from '../../rpc/deadline.js';
import { RpcError } from '../../rpc/error.js';
import type { Metadata } from '../../rpc/metadata.js';
import { Status } from '../../rpc/status.js';
import { type Timed, wheel } from '../../rpc/timer-wheel.js';
import { compressionTooLate } from '../compression-too-late.js';
import type { Cancellable, IncomingCall, Route } from '../transport.js';
import type { WireMethod } from '../wire-method.js';
import { isYoungCall } from '../young-call.js';
import { metadataOf } from './headers.js';
import type { ServerOwner } from './owner.js';
import { ErrorCode } from './protocol.js';
import type { RequestHead } from './request-head.js';
import { cutShort, type Fields, GrpcStream } from './stream.js';

/** One call at the server's end; unary calls and streams differ in what they do with the requests. */
export abstract class ServerStream extends GrpcStream implements IncomingCall, Timed {
  readonly deadline: Deadline | undefined;
  trailer: Metadata | undefined;
  running: Cancellable | undefined;
  wheelPrevious: Timed | undefined;
  wheelNext: Timed | undefined;
  wheelSlot: number | undefined;
  requestBytes = 0;
  protected readonly route: Route;
  protected readonly wire: WireMethod;
  protected readonly head: RequestHead;
  protected readonly server: ServerOwner;
  readonly #openedAt = performance.now();
  #metadata: Metadata | undefined;
  #header: Metadata | undefined;
  #headerSent = false;
  #hasReplied = false;
  #wantedCompression: CompressionName | undefined; // By the handler.
  #compression: CompressionName = 'identity'; // Of the replies, from their header on.
  #failure: RpcError | undefined;
  protected isAnswered = false;

  constructor(connection: ServerOwner, id: number, route: Route, wire: WireMethod, head: RequestHead) {
    super(connection, id, connection.options.maxMessageBytes);
    this.server = connection;
    this.route = route;
    this.wire = wire;
    this.head = head;
    this.deadline = head.timeoutMs === undefined ? undefined : this.#openedAt + head.timeoutMs;
    wheel.add(this);
  }

  abstract readonly requestCompressed: boolean;
  /** As it came: what inflates to more takes its memory only when it is read. */
  protected abstract onRequest(bytes: Uint8Array, compressed: boolean): void;

  get peer(): Peer {
    return this.server.peer;
  }

  get metadata(): Metadata {
    this.#metadata ??= metadataOf(this.head.fields);
    return this.#metadata;
  }

  get metadataBytes(): number {
    return this.head.metadataBytes;
  }

  /** 8.1: a request's trailers end it; gRPC has none. */
  override onHeaders(_: Fields | undefined, endStream: boolean): void {
    if (!endStream) return this.breakOff(new RpcError(Status.INTERNAL, 'a second header in one request'));
    this.endRequest();
  }

  endRequest(): void {
    if (this.content && !this.content.isWhole) return this.onMalformed();
    this.remoteEnded = true;
    if (this.isMidMessage) return this.breakOff(cutShort());
    this.onEnd();
  }

  protected override onMessage(bytes: Buffer, compressed: boolean): void {
    if (compressed && !this.head.encoding)
      throw new RpcError(Status.INTERNAL, 'a compressed request, and no grpc-encoding');
    this.onRequest(bytes, compressed);
  }

  /** @throws RpcError for what is no request, or would be over the limit */
  protected readRequest(bytes: Uint8Array, compressed: boolean): unknown {
    const message = compressed ? this.#inflated(bytes) : bytes;
    this.requestBytes = message.length;
    return this.wire.request.decode(message);
  }

  #inflated(bytes: Uint8Array): Uint8Array {
    const { decompress } = compressionNamed(this.head.encoding ?? 'identity');
    return decompress(bytes, this.server.options.maxMessageBytes);
  }

  get compression(): CompressionName {
    return this.#wantedCompression ?? this.server.options.compression;
  }

  set compression(name: CompressionName) {
    compressionNamed(name);
    if (this.#headerSent && name !== this.compression) throw compressionTooLate();
    this.#wantedCompression = name;
  }

  sendHeader(header: Metadata): void {
    if (this.#headerSent || this.isAnswered) return;
    this.#header = header;
    this.#sendHeader();
  }

  #sendHeader(): void {
    if (this.#headerSent) return;
    const { compression } = this;
    const used = this.head.accepts.includes(compression) ? compression : 'identity';
    this.server.respond(this.id, this.wire.contentType, used, this.#header);
    this.#headerSent = true;
    this.#compression = used;
  }

  protected sendReply(message: unknown): Promise<void> | undefined {
    const bytes = this.wire.reply.encode(message);
    const { maxMessageBytes } = this.server.options;
    if (bytes.length > maxMessageBytes) {
      throw new RpcError(
        Status.RESOURCE_EXHAUSTED,
        `reply of ${bytes.length} bytes, at most ${maxMessageBytes} are sent`,
      );
    }
    this.#sendHeader();
    this.#hasReplied = true;
    if (this.#compression === 'identity' || isUncompressed(message)) return this.send(bytes, false, false);
    const compressed = compressionNamed(this.#compression).compress(bytes);
    return this.send(compressed ?? bytes, compressed !== undefined, false);
  }

  /** Ends the call with a status. */
  protected finish(error: RpcError | undefined): void {
    if (this.isAnswered) return;
    this.isAnswered = true;
    this.#failure = error;
    this.endAfterQueue();
  }

  protected override sendEnd(): void {
    wheel.remove(this);
    const error = this.#failure;
    if (!error && !this.trailer?.size) this.server.endOk(this.id);
    else {
      const only = this.#headerSent ? undefined : { contentType: this.wire.contentType };
      this.server.end(this.id, { error, trailer: this.trailer, only });
    }
    // 8.1: the rest of the requests is not wanted.
    if (!this.remoteEnded) this.reset(ErrorCode.NO_ERROR);
    else this.closeIfEnded();
  }

  /** Ends the call at once, also when the client does not take what was sent before. */
  protected giveUp(error: RpcError): void {
    const wasRunning = !this.isAnswered;
    this.isAnswered = true;
    this.#failure = error;
    if (this.dropUnsent()) this.endAfterQueue();
    else {
      wheel.remove(this);
      this.reset(ErrorCode.CANCEL);
    }
    if (!wasRunning) return;
    this.running?.cancel(error);
    this.onGone();
  }

  override onLost(error: RpcError): void {
    wheel.remove(this);
    if (this.isAnswered) return;
    this.isAnswered = true;
    this.running?.cancel(error);
    this.onGone();
  }

  protected onGone(): void {}

  /** The server's grace is over. */
  closedByServer(): void {
    this.giveUp(new RpcError(Status.UNAVAILABLE, 'the server was closed'));
  }

  onDeadline(): void {
    this.giveUp(deadlineExceeded('the deadline passed before the reply'));
  }

  protected override onMalformed(): void {
    super.onMalformed();
    this.server.countCancelled();
  }

  /** What the client sent cannot be taken. */
  protected override breakOff(error: RpcError): void {
    this.giveUp(error);
    this.server.countCancelled();
  }

  /** Told every 10 s. The pace of a stream is its own affair. */
  onTick(): void {}

  /** Whether a client that gives the call up has only just asked for it, and has got nothing of it. */
  get isYoung(): boolean {
    return !this.#hasReplied && isYoungCall(this.#openedAt, this.head.timeoutMs);
  }
}
