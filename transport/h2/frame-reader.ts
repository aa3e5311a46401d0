import { ConnectionError, ErrorCode, FRAME_HEADER_BYTES, MIN_MAX_FRAME_SIZE } from './protocol.js';

/**
 * Takes one frame. The payload is `buffer` from `start` to `end`, and is the reader's again after the call.
 * A method call per frame, and no object.
 */
export interface FrameHandler {
  onFrame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void;
}

/** Largest payload taken: we announce no other SETTINGS_MAX_FRAME_SIZE than the default (4.2). */
const MAX_PAYLOAD = MIN_MAX_FRAME_SIZE;

/**
 * Cuts what the socket brings into frames (RFC 9113, 4.1). Frames that lie whole in a chunk are read where they are;
 * only one that two chunks share is copied together, into a buffer that grows with what has come and not with what
 * was announced. So the work is linear in bytes for any chunking.
 */
export class FrameReader {
  readonly #handler: FrameHandler;
  #partial: Buffer | undefined;
  #filled = 0;
  #partials = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** Whether a frame has begun and not ended. */
  get midFrame(): boolean {
    return this.#filled > 0;
  }

  /** How many frames have come in more than one piece, with the one that has begun. */
  get partials(): number {
    return this.#partials;
  }

  /** @throws ConnectionError FRAME_SIZE_ERROR for a frame over the limit, and what the handler throws */
  push(chunk: Buffer): void {
    let offset = this.#filled > 0 ? this.#complete(chunk) : 0;
    const end = chunk.length;
    while (end - offset >= FRAME_HEADER_BYTES) {
      const length = payloadLength(chunk, offset);
      const next = offset + FRAME_HEADER_BYTES + length;
      if (next > end) break;
      this.#deliver(chunk, offset, next);
      offset = next;
    }
    if (offset < end) this.#keep(chunk, offset);
  }

  /** Fills up the frame that has begun. Returns where in the chunk the next one starts. */
  #complete(chunk: Buffer): number {
    let offset = 0;
    if (this.#filled < FRAME_HEADER_BYTES) {
      offset = Math.min(FRAME_HEADER_BYTES - this.#filled, chunk.length);
      this.#append(chunk, 0, offset);
      if (this.#filled < FRAME_HEADER_BYTES) return offset;
    }
    const total = FRAME_HEADER_BYTES + payloadLength(this.#partial!, 0);
    const until = Math.min(offset + total - this.#filled, chunk.length);
    this.#append(chunk, offset, until);
    if (this.#filled < total) return until;
    const frame = this.#partial!;
    this.#partial = undefined;
    this.#filled = 0;
    this.#deliver(frame, 0, total);
    return until;
  }

  #keep(chunk: Buffer, offset: number): void {
    if (chunk.length - offset >= FRAME_HEADER_BYTES) payloadLength(chunk, offset); // Refuses before storing.
    this.#partials++;
    this.#append(chunk, offset, chunk.length);
  }

  #append(chunk: Buffer, start: number, end: number): void {
    const needed = this.#filled + end - start;
    if (!this.#partial || this.#partial.length < needed) {
      const grown = Buffer.allocUnsafe(Math.min(Math.max(needed * 2, 256), MAX_PAYLOAD + FRAME_HEADER_BYTES));
      this.#partial?.copy(grown, 0, 0, this.#filled);
      this.#partial = grown;
    }
    chunk.copy(this.#partial, this.#filled, start, end);
    this.#filled = needed;
  }

  #deliver(buffer: Buffer, start: number, end: number): void {
    // 4.1: the stream identifier has 31 bits, the reserved one is ignored.
    const streamId =
      ((buffer[start + 5]! & 0x7f) << 24) |
      (buffer[start + 6]! << 16) |
      (buffer[start + 7]! << 8) |
      buffer[start + 8]!;
    this.#handler.onFrame(
      buffer[start + 3]!,
      buffer[start + 4]!,
      streamId,
      buffer,
      start + FRAME_HEADER_BYTES,
      end,
    );
  }
}

function payloadLength(buffer: Buffer, offset: number): number {
  const length = (buffer[offset]! << 16) | (buffer[offset + 1]! << 8) | buffer[offset + 2]!;
  if (length <= MAX_PAYLOAD) return length;
  throw new ConnectionError(
    ErrorCode.FRAME_SIZE_ERROR,
    `a frame of ${length} bytes, at most ${MAX_PAYLOAD} are taken`,
  );
}
