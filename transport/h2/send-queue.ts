import { writeMessagePrefix } from './frame-writer.js';
import type { StreamOwner } from './owner.js';
import { PREFIX_BYTES } from './partial-message.js';

/** Messages of a stream that the windows have not let through yet; the connection's budget counts them. */
export class SendQueue {
  readonly #connection: StreamOwner;
  #parts: Buffer[] = []; // Prefix, message, prefix, message.
  #offset = 0; // Of the first part, what has been sent.
  #bytes = 0;
  #leftOfMessage = 0; // Of the message that has been sent in part, what has not.

  constructor(connection: StreamOwner) {
    this.#connection = connection;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a message has been sent in part. */
  get isMidMessage(): boolean {
    return this.#leftOfMessage > 0;
  }

  /** False, and nothing is queued, when it is over the budget. */
  add(payload: Uint8Array, compressed: boolean): boolean {
    const bytes = payload.length + PREFIX_BYTES;
    if (!this.#connection.budget.take(bytes)) return false;
    const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
    writeMessagePrefix(prefix, 0, compressed, payload.length);
    this.#parts.push(prefix);
    if (payload.length > 0) this.#parts.push(Buffer.from(payload.buffer, payload.byteOffset, payload.length));
    this.#bytes += bytes;
    return true;
  }

  /** Writes one DATA frame (6.1) of at most so many bytes. Returns how many they are. */
  writeFrame(streamId: number, maxBytes: number): number {
    const first = this.#parts[0];
    if (!first) return 0;
    const from = this.#offset;
    const length = Math.min(first.length - from, maxBytes);
    if (length <= 0) return 0;
    this.#connection.writer.data(streamId, first, from, from + length, false);
    if (this.#leftOfMessage === 0) this.#leftOfMessage = PREFIX_BYTES + first.readUInt32BE(1);
    this.#leftOfMessage -= length;
    this.#offset += length;
    this.#bytes -= length;
    this.#connection.budget.giveBack(length);
    if (this.#offset === first.length) {
      this.#parts.shift();
      this.#offset = 0;
    }
    return length;
  }

  drop(): void {
    this.#connection.budget.giveBack(this.#bytes);
    this.#parts = [];
    this.#bytes = this.#offset = this.#leftOfMessage = 0;
  }
}
