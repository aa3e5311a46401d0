import { compressionNamed } from '../../codec/compression.js';
import type { Peer } from '../../rpc/call.js';
import { type CompressionName, isUncompressed } from '../../rpc/compression.js';
import { type Deadline, deadlineExceeded } from '../../rpc/deadline.js';
import { RpcError } from '../../rpc/error.js';
import type { Metadata } from '../../rpc/metadata.js';
import { Status } from '../../rpc/status.js';
import { type Timed, wheel } from '../../rpc/timer-wheel.js';
import { compressionTooLate } from '../compression-too-late.js';
import type { Cancellable, IncomingUnary, ListenOptions } from '../transport.js';
import { isYoungCall } from '../young-call.js';
import { type Answer, errorAnswer } from './answer.js';
import { Body } from './body.js';
import { addMetadata, metadataOf } from './metadata.js';
import type { RequestHead } from './request-head.js';

/** One unary call in the Connect protocol, from its body on; the same over every version of HTTP. */
export class ConnectCall implements IncomingUnary, Timed {
  readonly peer: Peer;
  readonly deadline: Deadline | undefined;
  trailer: Metadata | undefined;
  running: Cancellable | undefined;
  wheelPrevious: Timed | undefined;
  wheelNext: Timed | undefined;
  wheelSlot: number | undefined;
  requestBytes = 0;
  readonly #head: RequestHead;
  readonly #options: ListenOptions;
  readonly #openedAt = performance.now();
  readonly #send: (answer: Answer) => void;
  #body: Body | undefined;
  #metadata: Metadata | undefined;
  #header: Metadata | undefined;
  #answered = false;
  #compression: CompressionName; // Of the reply.

  /** @param send called at most once, and not before the constructor has returned */
  constructor(head: RequestHead, peer: Peer, options: ListenOptions, send: (answer: Answer) => void) {
    this.#head = head;
    this.peer = peer;
    this.#options = options;
    this.#send = send;
    this.#compression = options.compression;
    this.#body = new Body(options.maxMessageBytes);
    this.deadline = head.timeoutMs === undefined ? undefined : this.#openedAt + head.timeoutMs;
    wheel.add(this);
  }

  get metadata(): Metadata {
    this.#metadata ??= metadataOf(this.#head.fields);
    return this.#metadata;
  }

  get requestCompressed(): boolean {
    return this.#head.compression !== undefined;
  }

  get compression(): CompressionName {
    return this.#compression;
  }

  set compression(name: CompressionName) {
    compressionNamed(name);
    if (this.#answered && name !== this.#compression) throw compressionTooLate();
    this.#compression = name;
  }

  get isRunning(): boolean {
    return !this.#answered;
  }

  /** Whether it is not answered and was only just asked for: a client that gives it up now has hardly waited. */
  get isYoung(): boolean {
    if (this.#answered) return false;
    return isYoungCall(this.#openedAt, this.#head.timeoutMs);
  }

  /** False once the call is answered: then the rest of the body is not wanted. */
  onData(chunk: Buffer): boolean {
    if (this.#answered) return false;
    if (this.#body?.push(chunk)) return true;
    const { maxMessageBytes } = this.#options;
    this.fail(
      new RpcError(
        Status.RESOURCE_EXHAUSTED,
        `message of more than ${maxMessageBytes} bytes, the most that is taken`,
      ),
    );
    return false;
  }

  /** The body is whole. */
  onEnd(): void {
    if (this.#answered || !this.#body) return;
    let request: unknown;
    try {
      request = this.#decode(this.#body.bytes);
    } catch (reason) {
      return this.fail(unreadable(reason));
    }
    this.#body = undefined;
    this.#head.route.unary(this, request);
  }

  #decode(bytes: Buffer): unknown {
    const { wire, compression, contentType } = this.#head;
    const message =
      compression && bytes.length > 0 ? compression.decompress(bytes, this.#options.maxMessageBytes) : bytes;
    if (message.length === 0 && contentType === 'application/json') {
      throw new RpcError(Status.INVALID_ARGUMENT, 'the body is empty; JSON is wanted, at least {}');
    }
    this.requestBytes = message.length;
    return wire.request.decode(message);
  }

  get metadataBytes(): number {
    return this.metadata.sizeBytes;
  }

  /** Header and reply go together: the status of HTTP, which comes first, says how the call ended. */
  sendHeader(header: Metadata): void {
    this.#header ??= header;
  }

  reply(message: unknown): void {
    if (this.#answered) return;
    try {
      const { contentType, wire } = this.#head;
      const fields = ['content-type', contentType];
      const body = this.#encoded(message, wire.reply.encode(message), fields);
      addMetadata(fields, this.#header, '');
      addMetadata(fields, this.trailer, 'trailer-');
      this.#answer({ status: 200, fields, body });
    } catch (reason) {
      this.fail(RpcError.from(reason, Status.INTERNAL));
    }
  }

  #encoded(message: unknown, bytes: Uint8Array, fields: string[]): Uint8Array {
    const { maxMessageBytes } = this.#options;
    const compression = isUncompressed(message) ? 'identity' : this.#compression;
    if (bytes.length > maxMessageBytes) {
      throw new RpcError(
        Status.RESOURCE_EXHAUSTED,
        `reply of ${bytes.length} bytes, at most ${maxMessageBytes} are sent`,
      );
    }
    // A body of no bytes is never decompressed by clients.
    if (compression === 'identity' || bytes.length === 0 || !this.#head.accepts(compression)) return bytes;
    const compressed = compressionNamed(compression).compress(bytes);
    if (compressed) fields.push('content-encoding', compression);
    return compressed ?? bytes;
  }

  fail(error: RpcError): void {
    if (this.#answered) return;
    const fields: string[] = [];
    addMetadata(fields, this.#header, '');
    addMetadata(fields, this.trailer, 'trailer-');
    addMetadata(fields, error.metadata, 'trailer-');
    this.#answer(errorAnswer(error, fields));
  }

  #answer(answer: Answer): void {
    this.#ended();
    this.#send(answer);
  }

  #ended(): void {
    this.#answered = true;
    this.#body = undefined;
    wheel.remove(this);
  }

  onDeadline(): void {
    this.stop(deadlineExceeded('the deadline passed before the reply'));
  }

  /** The server's grace is over. */
  closedByServer(): void {
    this.stop(new RpcError(Status.UNAVAILABLE, 'the server was closed'));
  }

  /** Ends the call at once, also for its handler. */
  stop(error: RpcError): void {
    this.fail(error);
    this.running?.cancel(error);
  }

  /** Nobody is left to answer. */
  onLost(error: RpcError): void {
    if (this.#answered) return;
    this.#ended();
    this.running?.cancel(error);
  }
}

/** gRPC calls what cannot be read INTERNAL; over HTTP it is the client's mistake, and most often a person's. */
function unreadable(reason: unknown): RpcError {
  const error = RpcError.from(reason, Status.INTERNAL);
  if (error.code !== Status.INTERNAL) return error;
  return new RpcError(Status.INVALID_ARGUMENT, error.details, { cause: reason });
}
