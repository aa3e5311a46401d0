import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';

/** One byte of flags and four of length stand before every message. */
export const HEADER_BYTES = 5;

/** The largest message taken unless a limit is given: 4 MiB, as elsewhere in gRPC. */
export const DEFAULT_MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** One length-prefixed message. `payload` may be a view of the chunk it came in. */
export interface Frame {
  readonly compressed: boolean;
  readonly payload: Uint8Array;
}

/** A message with the five bytes of gRPC's Length-Prefixed-Message before it. */
export function frame(payload: Uint8Array, compressed = false): Buffer {
  const framed = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  writeFrameHeader(framed, 0, payload.length, compressed);
  framed.set(payload, HEADER_BYTES);
  return framed;
}

/** Writes the header of a message of `length` bytes at `offset`, for those who write the payload elsewhere. */
export function writeFrameHeader(
  target: Uint8Array,
  offset: number,
  length: number,
  compressed: boolean,
): void {
  target[offset] = compressed ? 1 : 0;
  target[offset + 1] = length >>> 24;
  target[offset + 2] = length >>> 16;
  target[offset + 3] = length >>> 8;
  target[offset + 4] = length;
}

/**
 * Cuts a stream of bytes, in chunks of any size, into messages. The work is linear in the bytes, and what is held is
 * at most twice what has come: a length is the peer's word, so nothing is reserved for it.
 */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerHave = 0;
  #wanted = 0; // Length of the payload being read, once the header is whole.
  #partial: Buffer = EMPTY; // Grows by doubling up to #wanted.
  #have = 0;

  /** @param maxBytes a longer message is refused. @default 4 MiB */
  constructor(maxBytes = DEFAULT_MAX_MESSAGE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /**
   * The messages that `chunk` completes, in order. The reader must not be used again after an error.
   * @throws RpcError RESOURCE_EXHAUSTED for a length over the limit, INTERNAL for reserved flags
   */
  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let at = 0;
    while (at < chunk.length || (this.#headerHave === HEADER_BYTES && this.#wanted === 0)) {
      if (this.#headerHave < HEADER_BYTES) {
        at = this.#readHeader(chunk, at);
        continue;
      }
      const missing = this.#wanted - this.#have;
      const whole = chunk.length - at >= missing;
      const part = chunk.subarray(at, whole ? at + missing : chunk.length);
      at += part.length;
      if (!whole) {
        this.#keep(part);
        break;
      }
      let payload = part;
      if (this.#have > 0) {
        this.#keep(part);
        payload = this.#partial.subarray(0, this.#wanted);
      }
      frames.push({ compressed: this.#header[0] === 1, payload });
      this.#headerHave = this.#wanted = this.#have = 0;
      this.#partial = EMPTY;
    }
    return frames;
  }

  /**
   * Says that the stream has ended.
   * @throws RpcError UNAVAILABLE when it ended inside a message
   */
  end(): void {
    if (this.#headerHave === 0) return;
    const of = this.#headerHave < HEADER_BYTES ? 'a header' : `one of ${this.#wanted} bytes`;
    throw new RpcError(
      Status.UNAVAILABLE,
      `the stream ended inside a message, ${this.#headerHave + this.#have} bytes into ${of}`,
    );
  }

  #readHeader(chunk: Uint8Array, from: number): number {
    let at = from;
    while (this.#headerHave < HEADER_BYTES && at < chunk.length)
      this.#header[this.#headerHave++] = chunk[at++]!;
    if (this.#headerHave < HEADER_BYTES) return at;
    const flags = this.#header[0]!;
    if (flags > 1) throw new RpcError(Status.INTERNAL, `message with unknown flags 0x${flags.toString(16)}`);
    this.#wanted = this.#header.readUInt32BE(1);
    if (this.#wanted > this.#maxBytes) {
      throw new RpcError(
        Status.RESOURCE_EXHAUSTED,
        `message of ${this.#wanted} bytes, at most ${this.#maxBytes} are taken`,
      );
    }
    return at;
  }

  #keep(part: Uint8Array): void {
    const need = this.#have + part.length;
    if (need > this.#partial.length) {
      const grown = Buffer.allocUnsafe(
        Math.min(this.#wanted, Math.max(need, this.#partial.length * 2, 1_024)),
      );
      grown.set(this.#partial.subarray(0, this.#have));
      this.#partial = grown;
    }
    this.#partial.set(part, this.#have);
    this.#have = need;
  }
}

const EMPTY = Buffer.alloc(0);
