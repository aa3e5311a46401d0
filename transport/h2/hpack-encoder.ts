import { type Indexing, indexingOf, RepeatFilter } from './hpack-indexing.js';
import { findStatic } from './hpack-static.js';
import { DynamicTable, fieldSize } from './hpack-table.js';
import {
  blockBound,
  INCREMENTAL,
  NEVER,
  RESIZE_BYTES,
  WITHOUT,
  writeIndexed,
  writeLiteral,
  writeResize,
} from './hpack-writer.js';

/** SETTINGS_HEADER_TABLE_SIZE before the peer has said anything (RFC 9113, 6.5.2). */
const INITIAL_TABLE_BYTES = 4096;

export type HpackEncoderOptions = {
  /** The size of the dynamic table, in bytes, if the peer allows as much; default 4096. */
  readonly maxTableBytes?: number;
  /** What to do with a field that is in no table, by its name. */
  readonly indexing?: (name: string) => Indexing;
};

/**
 * Encodes the header blocks of one direction of a connection (RFC 7541). Every block it makes has to be sent, in the
 * order in which they are made, since each may rest on the ones before.
 *
 * A list of fields is flat: name, value, name, value, ..., with one character per byte and names in lower case.
 */
export class HpackEncoder {
  readonly #table: DynamicTable;
  readonly #repeats = new RepeatFilter();
  readonly #indexing: (name: string) => Indexing;
  readonly #maxTableBytes: number;
  /** 4.2: the smallest size since the last block, if the table's size is still to be told to the peer. */
  #smallestUntold: number | undefined;
  #resizesTold = 0;

  constructor({ maxTableBytes = INITIAL_TABLE_BYTES, indexing = indexingOf }: HpackEncoderOptions = {}) {
    this.#maxTableBytes = maxTableBytes;
    this.#indexing = indexing;
    this.#table = new DynamicTable(INITIAL_TABLE_BYTES);
    this.setMaxTableBytes(INITIAL_TABLE_BYTES);
  }

  /** The table, to look at. */
  get table(): Pick<DynamicTable, 'count' | 'sizeBytes' | 'maxBytes' | 'name' | 'value'> {
    return this.#table;
  }

  /** A block whose making has not changed this number may be sent again for as long as the number stays the same. */
  get version(): number {
    return this.#table.version + this.#resizesTold;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE: what the table may not exceed, however large the number. */
  setMaxTableBytes(peerBytes: number): void {
    const maxBytes = Math.min(peerBytes, this.#maxTableBytes);
    if (maxBytes === this.#table.maxBytes) return;
    this.#table.resize(maxBytes);
    this.#smallestUntold = Math.min(maxBytes, this.#smallestUntold ?? maxBytes);
  }

  /** The block of these fields; those that repeat are put into the table. */
  encode(fields: readonly string[]): Buffer {
    const into = Buffer.allocUnsafe(blockBound(fields));
    return into.subarray(0, this.write(fields, into, 0));
  }

  /**
   * Like `encode`, into a buffer that has room for `blockBound(fields)` bytes from `offset` on.
   * @returns the offset behind the block
   */
  write(fields: readonly string[], into: Buffer, offset: number): number {
    return this.#write(fields, into, offset, false);
  }

  /** Like `encode`, for fields that will come again: they are put into the table at once, except for secrets. */
  encodeRepeating(fields: readonly string[]): Buffer {
    const into = Buffer.allocUnsafeSlow(blockBound(fields));
    return into.subarray(0, this.#write(fields, into, 0, true));
  }

  /** A block of `encodeStateless`, as it may be sent now: behind the size update that the peer is still to get. */
  prepare(stateless: Buffer): Buffer {
    if (this.#smallestUntold === undefined) return stateless;
    const resizes = Buffer.allocUnsafe(RESIZE_BYTES);
    return Buffer.concat([resizes.subarray(0, this.#writeResizes(resizes, 0)), stateless]);
  }

  #write(fields: readonly string[], into: Buffer, offset: number, repeating: boolean): number {
    const table = this.#table;
    let at = this.#smallestUntold === undefined ? offset : this.#writeResizes(into, offset);
    for (let index = 0; index < fields.length; index += 2) {
      const name = fields[index]!;
      const value = fields[index + 1]!;
      const inStatic = findStatic(name, value);
      const found = inStatic > 0 ? inStatic : table.find(name, value);
      if (found > 0) {
        at = writeIndexed(into, at, found);
        continue;
      }
      const nameIndex = inStatic < 0 ? ~inStatic : found < 0 ? ~found : 0;
      const indexing = this.#indexing(name);
      if (
        indexing !== 'never' &&
        this.#isWorthAnEntry(repeating ? 'always' : indexing, nameIndex, name, value)
      ) {
        at = writeLiteral(into, at, INCREMENTAL, nameIndex, name, value);
        table.add(name, value);
      } else {
        at = writeLiteral(into, at, indexing === 'never' ? NEVER : WITHOUT, nameIndex, name, value);
      }
    }
    return at;
  }

  #isWorthAnEntry(
    indexing: Exclude<Indexing, 'never'> | 'always',
    nameIndex: number,
    name: string,
    value: string,
  ): boolean {
    // A field that takes half the table would put out the ones that the other blocks need.
    if (fieldSize(name, value) > this.#table.maxBytes / 2) return false;
    switch (indexing) {
      case 'always':
        return true;
      case 'repeated':
        return this.#repeats.seen(name, value);
      case 'name':
        return nameIndex === 0;
      case 'without':
        return false;
    }
  }

  /** 4.2: the smallest size since the last block, as it evicted entries, and then the size from now on. */
  #writeResizes(into: Buffer, offset: number): number {
    const { maxBytes } = this.#table;
    let at = offset;
    if (this.#smallestUntold! < maxBytes) at = writeResize(into, at, this.#smallestUntold!);
    at = writeResize(into, at, maxBytes);
    this.#smallestUntold = undefined;
    this.#resizesTold++;
    return at;
  }
}

/**
 * A block that looks into no dynamic table and changes none: valid on every connection at any time, and so made once
 * for fields that are always the same. It goes through `HpackEncoder.prepare` before it is sent.
 * @param fields name, value, name, value, ...
 */
export function encodeStateless(
  fields: readonly string[],
  indexing: (name: string) => Indexing = indexingOf,
): Buffer {
  const into = Buffer.allocUnsafe(blockBound(fields));
  let at = 0;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    const value = fields[index + 1]!;
    const found = findStatic(name, value);
    const representation = indexing(name) === 'never' ? NEVER : WITHOUT;
    if (found > 0) at = writeIndexed(into, at, found);
    else at = writeLiteral(into, at, representation, found < 0 ? ~found : 0, name, value);
  }
  const block = Buffer.allocUnsafeSlow(at);
  into.copy(block, 0, 0, at);
  return block;
}
