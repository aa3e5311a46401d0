import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { Budget } from './budget.js';

/** gRPC: one byte of flags, four of length. */
export const PREFIX_BYTES = 5;
const FIRST_BYTES = 64;
/** How many times what has come is made room for; or twice as many times, when that is all. */
const GROWTH = 8;
const NOTHING = Buffer.alloc(0);

/**
 * A message that has begun and not ended. Its buffer grows with what has come and not with what was announced, so that
 * a claimed length allocates nothing; by such steps that the work is linear for any chunking, and a large message is
 * hardly copied twice.
 */
export class PartialMessage {
  readonly #budget: Budget;
  readonly #maxBytes: number;
  #prefix: Buffer = NOTHING; // Until it is whole.
  #bytes: Buffer = NOTHING;
  #filled = 0;
  #length = -1; // As long as the prefix is not whole.
  compressed = false;

  constructor(budget: Budget, maxBytes: number) {
    this.#budget = budget;
    this.#maxBytes = maxBytes;
  }

  get isWhole(): boolean {
    return this.#filled === this.#length;
  }

  /** Hands over the message, once it is whole: the budget counts it no longer. */
  handOver(): Buffer {
    this.release();
    return this.#bytes;
  }

  /** Bytes that there is room for. */
  get room(): number {
    return this.#bytes.length - this.#filled;
  }

  /** Takes what belongs to the message. Returns where that ends. @throws RpcError for what cannot be taken */
  take(buffer: Buffer, start: number, end: number): number {
    const from = this.#length < 0 ? this.#takePrefix(buffer, start, end) : start;
    if (this.#length < 0) return from;
    const until = Math.min(from + this.#length - this.#filled, end);
    const needed = this.#filled + until - from;
    if (needed > this.#bytes.length) this.#grow(needed);
    buffer.copy(this.#bytes, this.#filled, from, until);
    this.#filled = needed;
    return until;
  }

  #takePrefix(buffer: Buffer, start: number, end: number): number {
    const missing = PREFIX_BYTES - this.#prefix.length;
    const until = Math.min(start + missing, end);
    this.#prefix = Buffer.concat([this.#prefix, buffer.subarray(start, until)]);
    if (this.#prefix.length < PREFIX_BYTES) return until;
    this.#length = messageLength(this.#prefix, 0, this.#maxBytes);
    this.compressed = this.#prefix[0] === 1;
    this.#prefix = NOTHING;
    return until;
  }

  #grow(needed: number): void {
    const isNear = this.#length <= needed * GROWTH * 2;
    const size = isNear ? this.#length : Math.min(Math.max(needed * GROWTH, FIRST_BYTES), this.#length);
    if (!this.#budget.take(size - this.#bytes.length)) throw overBudget();
    const grown = Buffer.allocUnsafe(size);
    this.#bytes.copy(grown, 0, 0, this.#filled);
    this.#bytes = grown;
  }

  /** Gives back to the budget what is held. */
  release(): void {
    this.#budget.giveBack(this.#bytes.length);
  }
}

/** What the prefix at an offset announces. @throws RpcError for more than the limit */
export function messageLength(buffer: Buffer, offset: number, maxBytes: number): number {
  if (buffer[offset]! > 1)
    throw new RpcError(Status.INTERNAL, `a message with flags ${buffer[offset]}, 0 or 1 is wanted`);
  const length = buffer.readUInt32BE(offset + 1);
  if (length <= maxBytes) return length;
  throw new RpcError(Status.RESOURCE_EXHAUSTED, `message of ${length} bytes, at most ${maxBytes} are taken`);
}

export const overBudget = () =>
  new RpcError(Status.RESOURCE_EXHAUSTED, 'too many bytes of unfinished messages are held');
