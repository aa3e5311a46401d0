import { ANY_VERSION, BlockCache } from './hpack-cache.js';
import { HpackError } from './hpack-error.js';
import { BlockReader } from './hpack-reader.js';
import { STATIC_COUNT } from './hpack-static.js';
import { DynamicTable, fieldSize } from './hpack-table.js';

export type HpackDecoderOptions = {
  /**
   * The limit of the dynamic table from the first block on, in bytes. HTTP/2 starts with the default of 4096 whatever
   * our first SETTINGS say (RFC 9113, 6.5.2), so there another value goes through `setMaxTableBytes`.
   */
  readonly maxTableBytes?: number;
  /** The size of a list of fields above which it is not delivered, as RFC 9113, 6.5.2 counts it; default 16 KiB. */
  readonly maxListBytes?: number;
  /** The number of fields above which a list is not delivered; default 128. */
  readonly maxFields?: number;
};

/** A list is decoded to its end, though not kept, up to this many times `maxListBytes`. */
const HARD_LIMIT = 4;

/**
 * Decodes the header blocks of one direction of a connection (RFC 7541), in the order in which they come.
 *
 * The time is linear in the bytes and in the size of the decoded list, whose limits stop a small block of many
 * references to a large entry. Blocks that come again are answered from a cache.
 */
export class HpackDecoder {
  readonly #table: DynamicTable;
  readonly #cache = new BlockCache();
  readonly #reader = new BlockReader();
  readonly #maxListBytes: number;
  readonly #maxFields: number;
  /** 6.3: what the peer may resize the table to. */
  #limitBytes: number;
  /** The peer has acknowledged a limit below the table's size and has to resize it in its next block. */
  #mustResize = false;

  constructor({ maxTableBytes = 4096, maxListBytes = 16 * 1024, maxFields = 128 }: HpackDecoderOptions = {}) {
    this.#table = new DynamicTable(maxTableBytes);
    this.#limitBytes = maxTableBytes;
    this.#maxListBytes = maxListBytes;
    this.#maxFields = maxFields;
  }

  /** The table, to look at. */
  get table(): Pick<DynamicTable, 'count' | 'sizeBytes' | 'maxBytes' | 'name' | 'value'> {
    return this.#table;
  }

  /** The peer has acknowledged our SETTINGS_HEADER_TABLE_SIZE of this many bytes. */
  setMaxTableBytes(maxTableBytes: number): void {
    this.#limitBytes = maxTableBytes;
    this.#mustResize = maxTableBytes < this.#table.maxBytes;
  }

  /**
   * Decodes one complete header block.
   *
   * @returns name, value, name, value, ... with one character per byte, unchecked beyond RFC 7541; or undefined if
   *   there are more than the limits allow, which is an error of the stream only: the tables are still alike. The
   *   array must not be changed. A block that repeats gets the same, frozen array each time.
   * @throws HpackError after which no more blocks of this connection can be decoded
   */
  decode(bytes: Buffer, start = 0, end = bytes.length): readonly string[] | undefined {
    const known = this.#cache.get(bytes, start, end, this.#table.version);
    if (known !== undefined && !this.#mustResize) return known;
    // No encoder that means well needs more bytes for a field than the field counts.
    if (end - start > HARD_LIMIT * this.#maxListBytes) throw this.#flood();
    return this.#decode(bytes, start, end);
  }

  #decode(bytes: Buffer, start: number, end: number): readonly string[] | undefined {
    const table = this.#table;
    const reader = this.#reader;
    reader.bytes = bytes;
    reader.at = start;
    reader.end = end;
    const versionBefore = table.version;
    this.#readResizes();

    const fields: string[] = [];
    let listBytes = 0;
    let tooLarge = false;
    let lastIndex = 0;
    while (reader.at < end) {
      const first = bytes[reader.at]!;
      let name: string;
      let value: string;
      if (first >= 0x80) {
        // 6.1 Indexed field: 1xxxxxxx
        const index = this.#readIndex(0x7f);
        if (index > lastIndex) lastIndex = index;
        name = table.name(index);
        value = table.value(index);
      } else {
        // 6.2 Literal field: with incremental indexing 01xxxxxx, without 0000xxxx, never indexed 0001xxxx
        if ((first & 0xe0) === 0x20) throw new HpackError('a table size update behind the first field');
        const mask = first >= 0x40 ? 0x3f : 0x0f;
        if ((first & mask) === 0) {
          reader.at++;
          name = reader.string();
        } else {
          const index = this.#readIndex(mask);
          if (index > lastIndex) lastIndex = index;
          name = table.name(index);
        }
        value = reader.string();
        if (first >= 0x40) table.add(name, value);
      }

      listBytes += fieldSize(name, value);
      if (listBytes > this.#maxListBytes || fields.length >= 2 * this.#maxFields) {
        if (listBytes > HARD_LIMIT * this.#maxListBytes) throw this.#flood();
        tooLarge = true;
      } else {
        fields.push(name, value);
      }
    }

    // The socket's chunk is not to be held until the next block.
    reader.bytes = NO_BYTES;
    if (tooLarge) return undefined;
    if (table.version === versionBefore) {
      const holdsUnder = lastIndex <= STATIC_COUNT ? ANY_VERSION : versionBefore;
      this.#cache.offer(bytes, start, end, holdsUnder, fields, listBytes);
    }
    return fields;
  }

  /** 6.3 Dynamic table size update, 001xxxxx: only at the start of a block (4.2). */
  #readResizes(): void {
    const reader = this.#reader;
    while (reader.at < reader.end && (reader.bytes[reader.at]! & 0xe0) === 0x20) {
      const maxBytes = reader.integer(0x1f);
      if (maxBytes > this.#limitBytes) {
        throw new HpackError(
          `a table size update to ${maxBytes} bytes, above the limit of ${this.#limitBytes}`,
        );
      }
      this.#table.resize(maxBytes);
      this.#mustResize = false;
    }
    // RFC 9113, 4.3.1: the first block after the acknowledgment of a smaller limit has to start with an update.
    if (this.#mustResize) throw new HpackError('no table size update after the limit was lowered');
  }

  /** 2.3.3: an index that neither table has is a decoding error. */
  #readIndex(mask: number): number {
    const index = this.#reader.integer(mask);
    if (!this.#table.has(index)) {
      throw new HpackError(`index ${index}, where the tables end at ${STATIC_COUNT + this.#table.count}`);
    }
    return index;
  }

  #flood(): HpackError {
    return new HpackError(
      `a header list of more than ${HARD_LIMIT} times the limit of ${this.#maxListBytes} bytes`,
      'ENHANCE_YOUR_CALM',
    );
  }
}

const NO_BYTES = Buffer.alloc(0);
