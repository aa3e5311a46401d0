/** The decoded fields of a block hold in every state of the dynamic table. */
export const ANY_VERSION = -1;

type Entry = {
  readonly block: Buffer;
  readonly version: number;
  readonly fields: readonly string[];
  readonly costBytes: number;
};

const SLOTS = 64;
const MAX_BLOCK_BYTES = 2048;
const MAX_TOTAL_BYTES = 64 * 1024;
/** Up to here a loop is faster than the call of Buffer.compare. */
const LOOP_BYTES = 32;

/**
 * Header blocks seen before, with their fields.
 *
 * What a block means depends on nothing but its bytes and the dynamic table. So the fields of a block that did not
 * change the table are its fields again, as long as the table has the same version, and in every version if the
 * block did not look into it. A block earns its place when it comes the second time, which keeps those out that come
 * once. There is one place per hash; a collision costs the time of decoding and nothing else.
 */
export class BlockCache {
  readonly #entries: (Entry | undefined)[] = new Array(SLOTS).fill(undefined);
  /** The hash of the last block that was not found in each place. */
  readonly #missed = new Int32Array(SLOTS);
  /** Of the block last asked for. */
  #lastHash = 0;
  #totalBytes = 0;

  /** What the kept blocks and fields take, as the limit counts it. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** The fields of the block from `start` to `end`: always the same array for the same block. */
  get(bytes: Buffer, start: number, end: number, version: number): readonly string[] | undefined {
    this.#lastHash = hash(bytes, start, end);
    const entry = this.#entries[this.#lastHash & (SLOTS - 1)];
    if (entry === undefined || (entry.version !== version && entry.version !== ANY_VERSION)) return undefined;
    return equal(entry.block, bytes, start, end) ? entry.fields : undefined;
  }

  /**
   * Offers the block that `get` has just not found.
   * @param version the table's, under which the fields hold
   * @param listBytes the size of the fields
   */
  offer(
    bytes: Buffer,
    start: number,
    end: number,
    version: number,
    fields: readonly string[],
    listBytes: number,
  ): void {
    const costBytes = end - start + listBytes;
    if (end - start > MAX_BLOCK_BYTES || costBytes > MAX_TOTAL_BYTES / 4) return;
    const blockHash = this.#lastHash;
    const slot = blockHash & (SLOTS - 1);
    if (this.#missed[slot] !== blockHash) {
      this.#missed[slot] = blockHash;
      return;
    }
    this.#totalBytes += costBytes - (this.#entries[slot]?.costBytes ?? 0);
    if (this.#totalBytes > MAX_TOTAL_BYTES) {
      this.#entries.fill(undefined);
      this.#totalBytes = costBytes;
    }
    // A copy in memory of its own: a slice would hold the whole chunk of the socket.
    const block = Buffer.allocUnsafeSlow(end - start);
    bytes.copy(block, 0, start, end);
    this.#entries[slot] = { block, version, fields: Object.freeze(fields), costBytes };
  }
}

/** Of up to 16 bytes all, of more every second, third, ... */
function hash(bytes: Buffer, start: number, end: number): number {
  let result = end - start;
  const step = 1 + ((end - start - 1) >> 4);
  for (let at = end - 1; at >= start; at -= step) result = Math.imul(result, 31) + bytes[at]!;
  return (result ^ (result >>> 7)) | 0;
}

function equal(block: Buffer, bytes: Buffer, start: number, end: number): boolean {
  const { length } = block;
  if (end - start !== length) return false;
  if (length > LOOP_BYTES) return block.compare(bytes, start, end) === 0;
  for (let at = 0; at < length; at++) if (block[at] !== bytes[start + at]) return false;
  return true;
}
