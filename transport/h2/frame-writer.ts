import type { Output } from './output.js';
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  type ErrorCode,
  FRAME_HEADER_BYTES,
  GOAWAY,
  HEADERS,
  PING,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './protocol.js';

const MESSAGE_PREFIX_BYTES = 5; // gRPC: one byte of flags, four of length.

/** Lays frames out in the output (RFC 9113, 4.1 and 6). */
export class FrameWriter {
  readonly #output: Output;
  /** The peer's SETTINGS_MAX_FRAME_SIZE. */
  maxFrameBytes = 16_384;

  constructor(output: Output) {
    this.#output = output;
  }

  /** HEADERS, and CONTINUATION for what does not fit (6.2, 6.10). */
  headers(streamId: number, block: Uint8Array, endStream: boolean): void {
    const max = this.maxFrameBytes;
    const streamFlag = endStream ? END_STREAM : 0;
    if (block.length <= max) {
      this.#header(block.length, HEADERS, END_HEADERS | streamFlag, streamId);
      this.#output.write(block, 0, block.length);
      return;
    }
    this.#header(max, HEADERS, streamFlag, streamId);
    this.#output.write(block, 0, max);
    for (let from = max; from < block.length; from += max) {
      const to = Math.min(from + max, block.length);
      this.#header(to - from, CONTINUATION, to === block.length ? END_HEADERS : 0, streamId);
      this.#output.write(block, from, to);
    }
  }

  /** A whole gRPC message in one DATA frame. The caller has seen that it fits frame and windows. */
  message(streamId: number, compressed: boolean, payload: Uint8Array, endStream: boolean): void {
    const length = payload.length;
    const offset = this.#output.reserve(FRAME_HEADER_BYTES + MESSAGE_PREFIX_BYTES);
    const chunk = this.#output.chunk;
    writeFrameHeader(
      chunk,
      offset,
      length + MESSAGE_PREFIX_BYTES,
      DATA,
      endStream ? END_STREAM : 0,
      streamId,
    );
    writeMessagePrefix(chunk, offset + FRAME_HEADER_BYTES, compressed, length);
    if (length > 0) this.#output.write(payload, 0, length);
  }

  /** Part of a message (or nothing, to end a stream) in one DATA frame. */
  data(streamId: number, source: Uint8Array, from: number, to: number, endStream: boolean): void {
    this.#header(to - from, DATA, endStream ? END_STREAM : 0, streamId);
    if (to > from) this.#output.write(source, from, to);
  }

  resetStream(streamId: number, code: ErrorCode): void {
    this.#uint32(RST_STREAM, streamId, code);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.#uint32(WINDOW_UPDATE, streamId, increment);
  }

  settings(pairs: readonly (readonly [id: number, value: number])[]): void {
    const offset = this.#header(pairs.length * 6, SETTINGS, 0, 0, pairs.length * 6);
    const chunk = this.#output.chunk;
    pairs.forEach(([id, value], i) => {
      chunk.writeUInt16BE(id, offset + i * 6);
      chunk.writeUInt32BE(value, offset + i * 6 + 2);
    });
  }

  settingsAck(): void {
    this.#header(0, SETTINGS, ACK, 0);
  }

  /** @param payload eight bytes */
  ping(payload: Uint8Array, ack: boolean): void {
    this.#header(8, PING, ack ? ACK : 0, 0);
    this.#output.write(payload, 0, 8);
  }

  goAway(lastStreamId: number, code: ErrorCode, text: string): void {
    const debug = Buffer.from(text.slice(0, 256), 'latin1');
    const offset = this.#header(8 + debug.length, GOAWAY, 0, 0, 8);
    this.#output.chunk.writeUInt32BE(lastStreamId, offset);
    this.#output.chunk.writeUInt32BE(code, offset + 4);
    this.#output.write(debug, 0, debug.length);
  }

  #uint32(type: number, streamId: number, value: number): void {
    const offset = this.#header(4, type, 0, streamId, 4);
    this.#output.chunk.writeUInt32BE(value, offset);
  }

  /** Writes a frame's header, with `room` reserved behind it. Returns where the payload starts. */
  #header(length: number, type: number, flags: number, streamId: number, room = 0): number {
    const offset = this.#output.reserve(FRAME_HEADER_BYTES + room);
    writeFrameHeader(this.#output.chunk, offset, length, type, flags, streamId);
    return offset + FRAME_HEADER_BYTES;
  }
}

function writeFrameHeader(
  chunk: Buffer,
  offset: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  chunk[offset] = length >>> 16;
  chunk[offset + 1] = length >>> 8;
  chunk[offset + 2] = length;
  chunk[offset + 3] = type;
  chunk[offset + 4] = flags;
  chunk[offset + 5] = streamId >>> 24;
  chunk[offset + 6] = streamId >>> 16;
  chunk[offset + 7] = streamId >>> 8;
  chunk[offset + 8] = streamId;
}

export function writeMessagePrefix(
  chunk: Uint8Array,
  offset: number,
  compressed: boolean,
  length: number,
): void {
  chunk[offset] = compressed ? 1 : 0;
  chunk[offset + 1] = length >>> 24;
  chunk[offset + 2] = length >>> 16;
  chunk[offset + 3] = length >>> 8;
  chunk[offset + 4] = length;
}
