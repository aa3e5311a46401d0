import { HpackError } from './hpack-error.js';
import { huffmanDecode } from './huffman.js';
import { latin1 } from './latin1.js';

/** 7.4: an integer may have this many bytes after its first. 28 bits are far more than any length or index here. */
const MOST_CONTINUATION_BYTES = 4;

/** Reads the primitives of a header block (RFC 7541, 5) from `at` to `end`. */
export class BlockReader {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  end = 0;

  /** An integer that starts in the low bits of the next byte, those of `mask` (5.1). There has to be a next byte. */
  integer(mask: number): number {
    const prefix = this.bytes[this.at++]! & mask;
    return prefix < mask ? prefix : this.#longInteger(prefix);
  }

  #longInteger(prefix: number): number {
    let value = 0;
    for (let count = 0; count < MOST_CONTINUATION_BYTES; count++) {
      if (this.at >= this.end) throw new HpackError('the header block ends within an integer');
      const byte = this.bytes[this.at++]!;
      value |= (byte & 0x7f) << (7 * count);
      if (byte < 0x80) return prefix + value;
    }
    throw new HpackError(`an integer of more than ${1 + MOST_CONTINUATION_BYTES} bytes`);
  }

  /** A string literal (5.2). */
  string(): string {
    if (this.at >= this.end) throw new HpackError('the header block ends before a string');
    const isHuffman = this.bytes[this.at]! >= 0x80;
    const length = this.integer(0x7f);
    const start = this.at;
    if (length > this.end - start) {
      throw new HpackError(`a string of ${length} bytes where the header block has ${this.end - start} left`);
    }
    this.at = start + length;
    if (isHuffman) return huffmanDecode(this.bytes, start, this.at);
    return latin1(this.bytes, start, this.at);
  }
}
