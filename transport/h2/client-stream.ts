import { compressionNamed, findCompression, unknownCompression } from '../../codec/compression.js';
import { type CompressionName, isUncompressed } from '../../rpc/compression.js';
import { type Deadline, deadlineExceeded } from '../../rpc/deadline.js';
import { RpcError } from '../../rpc/error.js';
import type { Metadata } from '../../rpc/metadata.js';
import { mayHaveRun, receivedError } from '../../rpc/not-executed.js';
import { Status } from '../../rpc/status.js';
import { type Timed, wheel } from '../../rpc/timer-wheel.js';
import { unreadableReply } from '../reply-errors.js';
import type { Cancellable, OutgoingCall } from '../transport.js';
import { ContentLength, parseContentLength } from './content-length.js';
import { metadataOf, responseHead, statusOfHttp } from './headers.js';
import type { ClientOwner } from './owner.js';
import { ErrorCode } from './protocol.js';
import { cutShort, type Fields, GrpcStream } from './stream.js';

/** One call at the client's end; unary calls and streams differ in what they do with the replies. */
export abstract class ClientStream<Call extends OutgoingCall = OutgoingCall>
  extends GrpcStream
  implements Timed, Cancellable
{
  readonly deadline: Deadline | undefined;
  wheelPrevious: Timed | undefined;
  wheelNext: Timed | undefined;
  wheelSlot: number | undefined;
  readonly call: Call;
  readonly #compression: CompressionName;
  readonly #maxMessageBytes: number;
  #header: Fields | undefined;
  #encoding: string | undefined;
  readonly #address: string;
  readonly #owner: ClientOwner;
  #isOver = false;
  #again: Cancellable | undefined; // The call, when it was sent again.
  /** How often it was sent before this. */
  readonly tries: number;

  constructor(connection: ClientOwner, id: number, call: Call, tries: number) {
    super(connection, id, connection.options.maxMessageBytes);
    this.#owner = connection;
    this.call = call;
    this.tries = tries;
    this.#address = connection.options.address;
    this.deadline = call.deadline;
    this.#compression = call.compression ?? connection.options.compression;
    this.#maxMessageBytes = connection.options.maxMessageBytes;
    wheel.add(this);
  }

  /** The header has come. */
  protected abstract onHeader(fields: Fields): void;
  /** As it came: what inflates to more takes its memory only when it is read. */
  protected abstract onReply(bytes: Uint8Array, compressed: boolean): void;
  /** Called once, last. Without `error` the status was OK. */
  protected abstract onDone(error: RpcError | undefined, trailer: Fields | undefined): void;

  protected get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Sends a request in the call's compression.
   * @param message what the bytes were made of
   * @throws RpcError for one over the limit
   */
  protected sendRequest(message: unknown, bytes: Uint8Array, last: boolean): Promise<void> | undefined {
    if (bytes.length > this.#maxMessageBytes) {
      throw new RpcError(
        Status.RESOURCE_EXHAUSTED,
        `message of ${bytes.length} bytes, at most ${this.#maxMessageBytes} are sent`,
      );
    }
    if (this.#compression === 'identity' || isUncompressed(message)) return this.send(bytes, false, last);
    const compressed = compressionNamed(this.#compression).compress(bytes);
    return this.send(compressed ?? bytes, compressed !== undefined, last);
  }

  onHeaders(fields: Fields | undefined, endStream: boolean): void {
    if (!fields)
      return this.breakOff(
        new RpcError(Status.RESOURCE_EXHAUSTED, 'the metadata of the reply is over the limit'),
      );
    if (endStream) return this.#finish(fields);
    if (this.#header) return this.breakOff(new RpcError(Status.INTERNAL, 'a second header in one reply'));
    const head = responseHead(fields);
    if (head.httpStatus >= 100 && head.httpStatus < 200) return; // 8.1: informational.
    if (head.httpStatus !== 200 || !head.contentType?.startsWith('application/grpc')) {
      const text = `not a gRPC answer: HTTP status ${head.httpStatus}, content type ${head.contentType?.slice(0, 64)}`;
      return this.breakOff(new RpcError(statusOfHttp(head.httpStatus), text));
    }
    if (head.contentLength !== undefined) {
      const bytes = parseContentLength(head.contentLength);
      if (bytes === undefined) return this.onMalformed();
      this.content = new ContentLength(bytes);
    }
    this.#header = fields;
    this.#encoding = head.encoding;
    this.onHeader(fields);
  }

  protected override onMessage(bytes: Buffer, compressed: boolean): void {
    if (!this.#header) throw new RpcError(Status.INTERNAL, 'a reply without a header');
    if (compressed) this.#checkEncoding();
    this.onReply(bytes, compressed);
  }

  /** @throws RpcError INTERNAL: gRPC's code for replies in an encoding that their client does not know, or none */
  #checkEncoding(): void {
    const encoding = this.#encoding;
    if (!encoding || encoding === 'identity')
      throw new RpcError(Status.INTERNAL, 'a compressed reply, and no grpc-encoding');
    if (!findCompression(encoding))
      throw new RpcError(Status.INTERNAL, `a compressed reply: ${unknownCompression(encoding)}`);
  }

  /** @throws RpcError for what is no reply, or would be over the limit */
  protected readReply(bytes: Uint8Array, compressed: boolean): unknown {
    const { reply } = this.call.wire;
    try {
      if (!compressed) return reply.decode(bytes);
      const { decompress } = compressionNamed(this.#encoding ?? 'identity');
      return reply.decode(decompress(bytes, this.#maxMessageBytes));
    } catch (reason) {
      throw unreadableReply(reason);
    }
  }

  protected override sendEnd(): void {
    this.connection.writer.data(this.id, NOTHING, 0, 0, true);
    this.closeIfEnded();
  }

  protected override onEnd(): void {
    this.breakOff(new RpcError(Status.INTERNAL, 'the reply ended without trailers'));
  }

  #finish(fields: Fields): void {
    if (this.content && !this.content.isWhole) return this.onMalformed();
    const wasMidMessage = this.isMidMessage;
    this.remoteEnded = true;
    const head = responseHead(fields);
    const { grpcStatus, message, httpStatus } = head;
    // 8.1: a server may answer before it has seen all requests; then the rest of them is not wanted.
    if (!this.localEnded) this.reset(ErrorCode.NO_ERROR);
    else this.closeIfEnded();
    if (grpcStatus === Status.OK) return this.#over(wasMidMessage ? cutShort() : undefined, fields);
    if (grpcStatus !== undefined) {
      const hadBegun = this.#header !== undefined;
      return this.#over(receivedError(grpcStatus as Status, message, metadataOf(fields), hadBegun), fields);
    }
    const missing = this.#header
      ? new RpcError(Status.UNKNOWN, 'the trailers of the reply have no grpc-status')
      : new RpcError(statusOfHttp(httpStatus), `the reply has no grpc-status (HTTP status ${httpStatus})`);
    this.#over(missing, fields);
  }

  override onLost(error: RpcError): void {
    if (this.#isOver) return;
    // A server that has begun to answer has looked at the call, whatever it says then.
    if (this.#header) return this.#over(mayHaveRun(error), undefined);
    if (!isUnprocessed(error) || !this.canRepeat) return this.#over(error, undefined);
    this.#isOver = true;
    wheel.remove(this);
    this.#again = this.#owner.sendAgain(this);
    if (!this.#again) this.onDone(error, undefined);
  }

  /** Whether the call can be sent again as it was. */
  protected get canRepeat(): boolean {
    return true;
  }

  /** It was to be sent again, and could not. */
  onNotSentAgain(error: RpcError): void {
    this.onDone(error, undefined);
  }

  cancel(error: RpcError): void {
    if (this.#again) return this.#again.cancel(error);
    if (this.#isOver) return;
    this.reset(ErrorCode.CANCEL);
    this.#owner.gaveUp();
    this.#over(error, undefined);
  }

  onDeadline(): void {
    this.cancel(deadlineExceeded(`no reply within the time-out from ${this.#address}`));
  }

  #over(error: RpcError | undefined, trailer: Fields | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    wheel.remove(this);
    this.onDone(error, trailer);
  }
}

/** RFC 9113, 6.8 and 8.7: after a GOAWAY or a REFUSED_STREAM that says so, no server has looked at the call, or will. */
const isUnprocessed = (error: RpcError): boolean => error.code === Status.UNAVAILABLE && !error.maybeExecuted;

const NOTHING = new Uint8Array(0);

export const metadataOrEmpty = (fields: Fields | undefined): Metadata => metadataOf(fields ?? []);
