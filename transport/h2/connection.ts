import type { Socket } from 'node:net';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { Budget } from './budget.js';
import { ConnectionLife, type Http2Limits } from './connection-life.js';
import { ReceiveWindow } from './flow-control.js';
import { frameSize, protocolError } from './frame-errors.js';
import { type FrameHandler, FrameReader } from './frame-reader.js';
import { HeaderBlock } from './header-block.js';
import { HpackDecoder } from './hpack-decoder.js';
import {
  ACK,
  CONTINUATION,
  ConnectionError,
  DATA,
  END_HEADERS,
  END_STREAM,
  ErrorCode,
  GOAWAY,
  HAS_PRIORITY,
  HEADERS,
  MAX_WINDOW,
  PADDED,
  PING,
  PRIORITY,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './protocol.js';
import { Rate } from './rate.js';
import type { Fields, GrpcStream } from './stream.js';
import { Unfinished } from './unfinished.js';

/** 6.5.2: what a field counts beside its name and value, and one character. More fields than these add up to too much. */
const MIN_FIELD_BYTES = 33;

/** What the frames do that come in (RFC 9113, 6), at a client's and at a server's end. */
export abstract class Http2Connection extends ConnectionLife implements FrameHandler {
  readonly #reader = new FrameReader(this);
  readonly #decoder: HpackDecoder;
  readonly #receiveWindow: ReceiveWindow;
  readonly #controlRate = new Rate('control frames', 100, 200);
  readonly #updateRate = new Rate('window updates', 1_000, 10_000);
  readonly #block: HeaderBlock; // The one that has begun and not ended.
  readonly #unfinished: Unfinished;

  constructor(socket: Socket, limits: Http2Limits, budget: Budget) {
    super(socket, limits, budget);
    const { maxHeaderListBytes } = limits;
    const maxFields = Math.ceil(maxHeaderListBytes / MIN_FIELD_BYTES);
    this.#decoder = new HpackDecoder({ maxListBytes: maxHeaderListBytes, maxFields });
    this.#block = new HeaderBlock(maxHeaderListBytes * 2);
    this.#unfinished = new Unfinished(this.#reader, this.#block);
    this.#receiveWindow = new ReceiveWindow(limits.connectionWindowBytes);
  }

  /** A block of headers on a stream that is not open. */
  protected abstract onNewStream(streamId: number, fields: Fields | undefined, endStream: boolean): void;
  /** A frame for a stream that is not open. */
  protected abstract isIdle(streamId: number): boolean;
  protected abstract onSettings(): void;
  protected abstract onGoAway(lastStreamId: number, code: number, text: string): void;
  protected onPong(): void {}

  /** 10.5: an end to frames, and blocks of headers, that begin and do not end. @throws ConnectionError */
  protected checkUnfinished(now: number): void {
    this.#unfinished.check(now);
  }

  /** Whether a frame has begun and not ended. */
  protected get isMidFrame(): boolean {
    return this.#reader.midFrame;
  }

  protected override read(chunk: Buffer): void {
    this.#reader.push(chunk);
  }

  protected override onDataSent(): void {
    this.#updateRate.earn(4);
    this.#controlRate.earn(1);
  }

  onFrame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    if (this.isClosed) return; // By a frame before it in the same chunk.
    if (this.#block.streamId !== 0 && (type !== CONTINUATION || streamId !== this.#block.streamId)) {
      throw protocolError('a header block was interrupted'); // 6.10
    }
    if (!this.sawSettings && (type !== SETTINGS || flags & ACK))
      throw protocolError('the first frame is not SETTINGS'); // 3.4
    switch (type) {
      case DATA:
        return this.#onData(flags, streamId, buffer, start, end);
      case HEADERS:
        return this.#onHeadersFrame(flags, streamId, buffer, start, end);
      case CONTINUATION:
        return this.#onContinuation(flags, streamId, buffer, start, end);
      case WINDOW_UPDATE:
        return this.#onWindowUpdate(streamId, buffer, start, end);
      case RST_STREAM:
        return this.#onResetFrame(streamId, buffer, start, end);
      case SETTINGS:
        return this.#onSettingsFrame(flags, streamId, buffer, start, end);
      case PING:
        return this.#onPing(flags, streamId, buffer, start, end);
      case GOAWAY:
        if (streamId !== 0) throw protocolError('GOAWAY on a stream');
        if (end - start < 8) throw frameSize('GOAWAY');
        this.#controlRate.count();
        return this.onGoAway(
          buffer.readUInt32BE(start) & MAX_WINDOW,
          buffer.readUInt32BE(start + 4),
          buffer.toString('latin1', start + 8, Math.min(end, start + 264)),
        );
      case PRIORITY: // 5.3.2: deprecated, and ignored.
        if (streamId === 0) throw protocolError('PRIORITY on stream 0');
        if (end - start !== 5) throw frameSize('PRIORITY');
        return this.#controlRate.count();
      case PUSH_PROMISE: // 8.4: refused by ENABLE_PUSH 0, and never a client's to send.
        throw protocolError('PUSH_PROMISE, although push is off');
      default: // 5.5: unknown types are ignored, but they are not free.
        this.#controlRate.count();
    }
  }

  #onData(flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    if (streamId === 0) throw protocolError('DATA on stream 0');
    const flowBytes = end - start;
    this.#receiveWindow.received(flowBytes);
    // Streams hold their own readers back; the connection goes on for the others.
    const increment = this.#receiveWindow.consumed(flowBytes);
    if (increment > 0) this.writer.windowUpdate(0, increment);
    let from = start;
    let to = end;
    if (flags & PADDED) {
      if (from === to) throw frameSize('padded DATA');
      to -= buffer[from++]!;
      if (to < from) throw protocolError('padding longer than its frame'); // 6.1
    }
    const endStream = (flags & END_STREAM) !== 0;
    if (from === to && !endStream) this.#controlRate.count();
    else this.#controlRate.earn(1); // Peers that measure the line send a PING with their data.
    const stream = this.streams.get(streamId);
    if (!stream) return this.#unknownStream(streamId, 'DATA');
    if (stream.remoteEnded) return this.#streamClosed(stream);
    stream.onData(buffer, from, to, flowBytes, endStream);
  }

  /** 5.1: what was under way when a stream was closed is let pass; a stream that never was is an error. */
  #unknownStream(streamId: number, what: string): void {
    if (this.isIdle(streamId)) throw protocolError(`${what} on idle stream ${streamId}`);
  }

  #streamClosed(stream: GrpcStream): void {
    stream.localEnded = stream.remoteEnded = true;
    this.writer.resetStream(stream.id, ErrorCode.STREAM_CLOSED);
    this.forget(stream);
    stream.onLost(new RpcError(Status.INTERNAL, 'the peer sent more after the end of its stream'));
    this.onStreamBroken(); // Last: it may throw, and the stream is to be told first.
  }

  #onHeadersFrame(flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    if (streamId === 0) throw protocolError('HEADERS on stream 0');
    let from = start;
    let to = end;
    if (flags & (PADDED | HAS_PRIORITY)) {
      from += (flags & PADDED ? 1 : 0) + (flags & HAS_PRIORITY ? 5 : 0);
      if (from > to) throw frameSize('HEADERS');
      if (flags & PADDED) to -= buffer[start]!;
      if (to < from) throw protocolError('padding longer than its frame'); // 6.2
    }
    const endStream = (flags & END_STREAM) !== 0;
    if (flags & END_HEADERS) return this.#onBlock(streamId, buffer, from, to, endStream);
    this.#block.begin(streamId, endStream, buffer.subarray(from, to));
  }

  #onContinuation(flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    if (this.#block.streamId === 0) throw protocolError('CONTINUATION without HEADERS');
    const block = this.#block.continue(buffer.subarray(start, end), (flags & END_HEADERS) !== 0);
    if (block) this.#onBlock(streamId, block, 0, block.length, this.#block.endStream);
  }

  #onBlock(streamId: number, buffer: Buffer, start: number, end: number, endStream: boolean): void {
    const fields = this.#decoder.decode(buffer, start, end); // 4.3: always, to keep the tables alike.
    const stream = this.streams.get(streamId);
    if (!stream) return this.onNewStream(streamId, fields, endStream);
    if (stream.remoteEnded) return this.#streamClosed(stream); // 5.1: half-closed (remote)
    stream.onHeaders(fields, endStream);
  }

  /** HEADERS on a stream that is closed: it was reset while they were on their way. */
  protected onLateHeaders(endStream: boolean): void {
    // 5.1.1: a request with the number of an old stream.
    if (!endStream) throw protocolError('HEADERS on a closed stream');
    this.#controlRate.count();
  }

  #onWindowUpdate(streamId: number, buffer: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw frameSize('WINDOW_UPDATE');
    const increment = buffer.readUInt32BE(start) & MAX_WINDOW;
    this.#updateRate.count();
    if (streamId === 0) {
      if (increment === 0) throw protocolError('WINDOW_UPDATE of 0');
      if (!this.sending.add(increment)) {
        throw new ConnectionError(
          ErrorCode.FLOW_CONTROL_ERROR,
          'the window of the connection is over 2^31-1',
        );
      }
      return this.sending.send();
    }
    const stream = this.streams.get(streamId);
    if (!stream) return this.#unknownStream(streamId, 'WINDOW_UPDATE');
    if (increment === 0) throw protocolError('WINDOW_UPDATE of 0'); // 6.9 allows a stream error; this is a broken peer.
    stream.onWindowUpdate(increment);
    this.sending.send();
  }

  #onResetFrame(streamId: number, buffer: Buffer, start: number, end: number): void {
    if (streamId === 0) throw protocolError('RST_STREAM on stream 0');
    if (end - start !== 4) throw frameSize('RST_STREAM');
    const code = buffer.readUInt32BE(start);
    const stream = this.streams.get(streamId);
    this.onReset(stream);
    if (!stream) return this.#unknownStream(streamId, 'RST_STREAM');
    stream.localEnded = stream.remoteEnded = true;
    this.forget(stream);
    stream.onLost(this.resetError(code));
  }

  protected abstract resetError(code: number): RpcError;
  /** The peer resets a stream; undefined when it is closed already. */
  protected onReset(_stream: GrpcStream | undefined): void {}
  /** We have reset a stream for what the peer did. */
  protected onStreamBroken(): void {}

  #onSettingsFrame(flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw protocolError('SETTINGS on a stream');
    this.#controlRate.count();
    if (flags & ACK) {
      if (end > start) throw frameSize('SETTINGS acknowledgement');
      this.isAcknowledged = true;
      return;
    }
    const windowBefore = this.peerInitialWindow;
    this.peerSettings.read(buffer, start, end);
    this.sawSettings = true;
    // 6.9.2. Once per frame: with many streams open the change is not cheap, and its values are.
    const change = this.peerInitialWindow - windowBefore;
    if (change !== 0) for (const stream of this.streams.values()) stream.onWindowUpdate(change);
    this.writer.settingsAck();
    this.onSettings();
    this.sending.send();
  }

  #onPing(flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    if (streamId !== 0) throw protocolError('PING on a stream');
    if (end - start !== 8) throw frameSize('PING');
    this.#controlRate.count();
    if (flags & ACK) return this.onPong();
    this.writer.ping(buffer.subarray(start, end), true);
  }
}
