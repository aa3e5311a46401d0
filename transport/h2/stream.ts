import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { ContentLength } from './content-length.js';
import { ReceiveWindow, SendWindow } from './flow-control.js';
import type { Sender, StreamOwner } from './owner.js';
import { messageLength, overBudget, PartialMessage, PREFIX_BYTES } from './partial-message.js';
import { ConnectionError, ErrorCode } from './protocol.js';
import { SendQueue } from './send-queue.js';

/** A writer waits while more than this is queued for its stream. */
const MAX_QUEUED_BYTES = 65_536;

/** Ticks of 10 s after which a unary call is given up that only its client holds up. */
export const STUCK_TICKS = 6;

/** A flat list: name, value, name, value. */
export type Fields = readonly string[];

/**
 * One stream of HTTP/2 (RFC 9113, 5) that carries gRPC messages: a prefix of five bytes, then the message, over any
 * number of DATA frames. What the messages mean is for those who extend it.
 */
export abstract class GrpcStream implements Sender {
  readonly id: number;
  readonly sendWindow: SendWindow;
  protected readonly connection: StreamOwner;
  readonly #maxMessageBytes: number;
  readonly #receiveWindow: ReceiveWindow;
  #held = 0; // Bytes received that the reader has not made room for.

  #queue: SendQueue | undefined; // Outgoing messages that had to wait.
  #endsAfterQueue = false;
  #wakeWriter: (() => void) | undefined;
  #partial: PartialMessage | undefined; // The incoming message that has begun and not ended.

  /** Its place among the streams that wait to send. */
  isSending = false;
  sendsAfter: Sender | undefined;
  sendsBefore: Sender | undefined;

  /** 5.1: half-closed (local), half-closed (remote); both is closed. */
  localEnded = false;
  remoteEnded = false;
  /** Set when the peer has announced it. */
  content: ContentLength | undefined;

  constructor(connection: StreamOwner, id: number, maxMessageBytes: number) {
    this.connection = connection;
    this.id = id;
    this.#maxMessageBytes = maxMessageBytes;
    this.sendWindow = new SendWindow(connection.peerInitialWindow);
    this.#receiveWindow = new ReceiveWindow(connection.streamWindow);
  }

  /** A block of headers or trailers (8.1). `fields` is undefined when there were too many of them. */
  abstract onHeaders(fields: Fields | undefined, endStream: boolean): void;
  /** The bytes are a view that holds good for the time of the call and, being a slice of what came, after it. */
  protected abstract onMessage(bytes: Buffer, compressed: boolean): void;
  /** The peer has ended its side, after whole messages. */
  protected abstract onEnd(): void;
  /** The stream is over before its end: reset by the peer, broken by it, or gone with its connection. */
  abstract onLost(error: RpcError): void;
  /** Whether what comes is read on at once; if not, `readerHasRoom` must follow. */
  protected abstract readonly hasRoom: boolean;
  /** Sends the frame that ends our side. */
  protected abstract sendEnd(): void;

  /** 5.1 */
  get isClosed(): boolean {
    return this.localEnded && this.remoteEnded;
  }

  /** Bytes that wait for the windows. */
  get queuedBytes(): number {
    return this.#queue?.bytes ?? 0;
  }

  // --- incoming

  /** DATA (6.1). @param flowBytes with padding, which counts too */
  onData(buffer: Buffer, start: number, end: number, flowBytes: number, endStream: boolean): void {
    this.#receiveWindow.received(flowBytes);
    if (this.content && !this.#fits(end - start, endStream)) return this.onMalformed();
    try {
      this.#cut(buffer, start, end);
    } catch (reason) {
      return this.breakOff(RpcError.from(reason, Status.INTERNAL));
    }
    if (endStream) this.#ended();
    else this.#credit(flowBytes);
  }

  #fits(bytes: number, isLast: boolean): boolean {
    return this.content!.take(bytes) && (!isLast || this.content!.isWhole);
  }

  /** 8.1.1: DATA does not add up to content-length, which is an error of the stream. */
  protected onMalformed(): void {
    this.reset(ErrorCode.PROTOCOL_ERROR);
    this.onLost(new RpcError(Status.INTERNAL, 'what came is not as long as its content-length'));
  }

  #ended(): void {
    this.remoteEnded = true;
    if (this.isMidMessage) return this.breakOff(cutShort());
    this.onEnd();
  }

  /** Whether a message has begun and not ended. */
  protected get isMidMessage(): boolean {
    return this.#partial !== undefined;
  }

  protected readerHasRoom(): void {
    if (this.#held > 0) this.#credit(0);
  }

  #credit(bytes: number): void {
    this.#held += bytes;
    if (!this.hasRoom || this.remoteEnded) return;
    let increment = this.#receiveWindow.consumed(this.#held);
    this.#held = 0;
    // A large message does not wait for its window again and again: there is room for it already.
    if (this.#partial) increment += this.#receiveWindow.ensure(this.#partial.room);
    if (increment > 0) this.connection.writer.windowUpdate(this.id, increment);
  }

  #cut(buffer: Buffer, start: number, end: number): void {
    let offset = this.#partial ? this.#complete(this.#partial, buffer, start, end) : start;
    while (end - offset >= PREFIX_BYTES && !this.isClosed) {
      const next = offset + PREFIX_BYTES + messageLength(buffer, offset, this.#maxMessageBytes);
      if (next > end) break;
      this.onMessage(buffer.subarray(offset + PREFIX_BYTES, next), buffer[offset] === 1);
      offset = next;
    }
    // What has just been read may have ended the call.
    if (offset === end || this.isClosed) return;
    this.#partial = new PartialMessage(this.connection.budget, this.#maxMessageBytes);
    this.#partial.take(buffer, offset, end);
  }

  #complete(partial: PartialMessage, buffer: Buffer, start: number, end: number): number {
    const until = partial.take(buffer, start, end);
    if (!partial.isWhole) return until;
    this.#partial = undefined;
    this.onMessage(partial.handOver(), partial.compressed);
    return until;
  }

  // --- outgoing

  /** Sends a message. A promise is returned when the writer should wait for the peer. */
  protected send(payload: Uint8Array, compressed: boolean, endStream: boolean): Promise<void> | undefined {
    const { connection } = this;
    if (this.queuedBytes === 0 && connection.takes(this, payload.length + PREFIX_BYTES)) {
      connection.writer.message(this.id, compressed, payload, endStream);
      if (endStream) this.localEnded = true;
      return undefined;
    }
    this.#queue ??= new SendQueue(connection);
    if (!this.#queue.add(payload, compressed)) throw overBudget();
    if (endStream) this.endAfterQueue();
    connection.enqueue(this);
    if (this.queuedBytes <= MAX_QUEUED_BYTES) return undefined;
    return new Promise((resolve) => {
      this.#wakeWriter = resolve;
    });
  }

  /** Ends our side behind what is queued. */
  protected endAfterQueue(): void {
    if (this.queuedBytes > 0) {
      this.#endsAfterQueue = true;
      return;
    }
    this.localEnded = true;
    this.sendEnd();
  }

  /** One DATA frame of what is queued, as far as the windows allow. False when nothing is left or possible. */
  sendQueued(maxBytes: number): boolean {
    const sent = this.#queue?.writeFrame(this.id, Math.min(maxBytes, this.sendWindow.available)) ?? 0;
    if (sent === 0) return false;
    this.connection.spend(this, sent);
    if (this.queuedBytes <= MAX_QUEUED_BYTES) this.#wake();
    if (this.queuedBytes > 0) return true;
    if (this.#endsAfterQueue) {
      this.#endsAfterQueue = false;
      this.endAfterQueue();
    }
    return false;
  }

  /** Forgets what is queued. */
  protected dropQueue(): void {
    this.#queue?.drop();
    this.#endsAfterQueue = false;
    this.#wake();
  }

  /** Forgets what is queued, so that a status can follow at once. False when a message has been sent in part. */
  protected dropUnsent(): boolean {
    if (this.#queue?.isMidMessage) return false;
    this.dropQueue();
    return true;
  }

  /** Gives back what the stream holds: its connection has forgotten it. */
  release(): void {
    this.dropQueue();
    this.#partial?.release();
    this.#partial = undefined;
  }

  #wake(): void {
    this.#wakeWriter?.();
    this.#wakeWriter = undefined;
  }

  // --- the end

  /** Gives the stream up because of what the peer sent. */
  protected breakOff(error: RpcError): void {
    this.reset(ErrorCode.CANCEL);
    this.onLost(error);
  }

  /** RST_STREAM (6.4), unless both sides have ended. */
  protected reset(code: ErrorCode): void {
    if (!this.isClosed) this.connection.writer.resetStream(this.id, code);
    this.localEnded = this.remoteEnded = true;
    this.connection.forget(this);
  }

  /** 5.1: forgets the stream once both sides have ended. */
  protected closeIfEnded(): void {
    if (this.isClosed) this.connection.forget(this);
  }

  /** WINDOW_UPDATE for this stream (6.9). */
  onWindowUpdate(increment: number): void {
    if (!this.sendWindow.add(increment)) {
      throw new ConnectionError(
        ErrorCode.FLOW_CONTROL_ERROR,
        `the window of stream ${this.id} is over 2^31-1`,
      );
    }
    if (this.queuedBytes > 0) this.connection.enqueue(this);
  }
}

export const cutShort = () => new RpcError(Status.INTERNAL, 'the stream ended inside a message');
