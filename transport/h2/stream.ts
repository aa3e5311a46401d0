import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { ContentLength } from './content-length.js';
import { ReceiveWindow, SendWindow } from './flow-control.js';
import { writeMessagePrefix } from './frame-writer.js';
import type { StreamOwner } from './owner.js';
import { ConnectionError, ErrorCode } from './protocol.js';

const PREFIX_BYTES = 5;
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
export abstract class GrpcStream {
  readonly id: number;
  readonly sendWindow: SendWindow;
  protected readonly connection: StreamOwner;
  readonly #maxMessageBytes: number;
  readonly #receiveWindow: ReceiveWindow;
  #held = 0; // Bytes received that the reader has not made room for.

  // Outgoing: what the windows have not let through yet.
  #queue: Buffer[] = [];
  #queueOffset = 0; // Of the first in the queue, what has been sent.
  #queuedBytes = 0;
  #leftOfMessage = 0; // Of the message that has been sent in part, what has not.
  #endsAfterQueue = false;
  #wakeWriter: (() => void) | undefined;

  // Incoming: the message that has begun and not ended.
  #partial: Buffer | undefined;
  #filled = 0;
  #total = 0; // With its prefix, as far as that is known.

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
    return this.#queuedBytes;
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
    return this.#filled > 0;
  }

  protected readerHasRoom(): void {
    if (this.#held > 0) this.#credit(0);
  }

  #credit(bytes: number): void {
    this.#held += bytes;
    if (!this.hasRoom || this.remoteEnded) return;
    const increment = this.#receiveWindow.consumed(this.#held);
    this.#held = 0;
    if (increment > 0) this.connection.writer.windowUpdate(this.id, increment);
  }

  #cut(buffer: Buffer, start: number, end: number): void {
    let offset = start;
    if (this.#filled > 0) offset = this.#complete(buffer, start, end);
    while (end - offset >= PREFIX_BYTES && !this.isClosed) {
      const length = this.#messageLength(buffer, offset);
      const next = offset + PREFIX_BYTES + length;
      if (next > end) break;
      this.onMessage(buffer.subarray(offset + PREFIX_BYTES, next), buffer[offset] === 1);
      offset = next;
    }
    // What has just been read may have ended the call.
    if (offset === end || this.isClosed) return;
    this.#total =
      end - offset >= PREFIX_BYTES ? PREFIX_BYTES + this.#messageLength(buffer, offset) : PREFIX_BYTES;
    this.#append(buffer, offset, end);
  }

  #complete(buffer: Buffer, start: number, end: number): number {
    let offset = start;
    if (this.#filled < PREFIX_BYTES) {
      offset = Math.min(start + PREFIX_BYTES - this.#filled, end);
      this.#append(buffer, start, offset);
      if (this.#filled < PREFIX_BYTES) return offset;
      this.#total = PREFIX_BYTES + this.#messageLength(this.#partial!, 0);
    }
    const total = this.#total;
    const until = Math.min(offset + total - this.#filled, end);
    this.#append(buffer, offset, until);
    if (this.#filled < total) return until;
    const message = this.#partial!;
    this.#partial = undefined;
    this.#filled = 0;
    this.connection.budget.giveBack(message.length);
    this.onMessage(message.subarray(PREFIX_BYTES, total), message[0] === 1);
    return until;
  }

  /** Grows with what has come, by doubling: the work is linear, and a claimed length allocates nothing. */
  #append(buffer: Buffer, start: number, end: number): void {
    const needed = this.#filled + end - start;
    if (!this.#partial || this.#partial.length < needed) {
      const size = Math.min(Math.max(needed * 2, 64), Math.max(needed, this.#total));
      if (!this.connection.budget.take(size - (this.#partial?.length ?? 0))) throw overBudget();
      const grown = Buffer.allocUnsafe(size);
      this.#partial?.copy(grown, 0, 0, this.#filled);
      this.#partial = grown;
    }
    buffer.copy(this.#partial, this.#filled, start, end);
    this.#filled = needed;
  }

  #messageLength(buffer: Buffer, offset: number): number {
    if (buffer[offset]! > 1)
      throw new RpcError(Status.INTERNAL, `a message with flags ${buffer[offset]}, 0 or 1 is wanted`);
    const length = buffer.readUInt32BE(offset + 1);
    if (length <= this.#maxMessageBytes) return length;
    throw new RpcError(
      Status.RESOURCE_EXHAUSTED,
      `message of ${length} bytes, at most ${this.#maxMessageBytes} are taken`,
    );
  }

  // --- outgoing

  /** Sends a message. A promise is returned when the writer should wait for the peer. */
  protected send(payload: Uint8Array, compressed: boolean, endStream: boolean): Promise<void> | undefined {
    const { connection } = this;
    const bytes = payload.length + PREFIX_BYTES;
    if (this.#queuedBytes === 0 && connection.takes(this, bytes)) {
      connection.writer.message(this.id, compressed, payload, endStream);
      if (endStream) this.localEnded = true;
      return undefined;
    }
    if (!connection.budget.take(bytes)) throw overBudget();
    const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
    writeMessagePrefix(prefix, 0, compressed, payload.length);
    this.#queue.push(prefix);
    if (payload.length > 0) this.#queue.push(Buffer.from(payload.buffer, payload.byteOffset, payload.length));
    this.#queuedBytes += bytes;
    if (endStream) this.endAfterQueue();
    connection.enqueue(this);
    if (this.#queuedBytes <= MAX_QUEUED_BYTES) return undefined;
    return new Promise((resolve) => {
      this.#wakeWriter = resolve;
    });
  }

  /** Ends our side behind what is queued. */
  protected endAfterQueue(): void {
    if (this.#queuedBytes > 0) {
      this.#endsAfterQueue = true;
      return;
    }
    this.localEnded = true;
    this.sendEnd();
  }

  /** One DATA frame of what is queued, as far as the windows allow. False when nothing is left or possible. */
  sendQueued(maxBytes: number): boolean {
    const first = this.#queue[0];
    if (!first) return false;
    const length = Math.min(first.length - this.#queueOffset, maxBytes, this.sendWindow.available);
    if (length <= 0) return false;
    const from = this.#queueOffset;
    this.connection.writer.data(this.id, first, from, from + length, false);
    this.connection.spend(this, length);
    if (this.#leftOfMessage === 0) this.#leftOfMessage = PREFIX_BYTES + first.readUInt32BE(1);
    this.#leftOfMessage -= length;
    this.#queueOffset += length;
    this.#queuedBytes -= length;
    this.connection.budget.giveBack(length);
    if (this.#queueOffset === first.length) {
      this.#queue.shift();
      this.#queueOffset = 0;
    }
    if (this.#queuedBytes <= MAX_QUEUED_BYTES) this.#wake();
    if (this.#queuedBytes > 0) return true;
    if (this.#endsAfterQueue) {
      this.#endsAfterQueue = false;
      this.endAfterQueue();
    }
    return false;
  }

  /** Forgets what is queued. */
  protected dropQueue(): void {
    if (this.#queuedBytes > 0) {
      this.connection.budget.giveBack(this.#queuedBytes);
      this.#queue = [];
      this.#queuedBytes = this.#queueOffset = this.#leftOfMessage = 0;
      this.#endsAfterQueue = false;
    }
    this.#wake();
  }

  /** Forgets what is queued, so that a status can follow at once. False when a message has been sent in part. */
  protected dropUnsent(): boolean {
    if (this.#leftOfMessage > 0) return false;
    this.dropQueue();
    return true;
  }

  /** Gives back what the stream holds: its connection has forgotten it. */
  release(): void {
    this.dropQueue();
    if (!this.#partial) return;
    this.connection.budget.giveBack(this.#partial.length);
    this.#partial = undefined;
    this.#filled = 0;
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
    if (this.#queuedBytes > 0) this.connection.enqueue(this);
  }
}

export const cutShort = () => new RpcError(Status.INTERNAL, 'the stream ended inside a message');

export const overBudget = () =>
  new RpcError(Status.RESOURCE_EXHAUSTED, 'too many bytes of unfinished messages are held');
