import { huffmanEncode, huffmanLength } from './huffman.js';

// Writes the primitives of a header block (RFC 7541, 5) and returns the offset behind them.

/** 5.1: an integer whose first byte has the bits of `pattern` above those of `mask`. */
export function writeInteger(
  into: Buffer,
  offset: number,
  pattern: number,
  mask: number,
  value: number,
): number {
  let at = offset;
  if (value < mask) {
    into[at++] = pattern | value;
    return at;
  }
  into[at++] = pattern | mask;
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) into[at++] = 0x80 | (rest & 0x7f);
  into[at++] = rest;
  return at;
}

/** Up to here a loop is faster than the call of Buffer.write. */
const LOOP_LENGTH = 12;

/**
 * 5.2: a string, Huffman-coded if that is shorter.
 * @throws RangeError if a character is not one byte
 */
export function writeString(into: Buffer, offset: number, text: string): number {
  const coded = huffmanLength(text);
  if (coded < text.length) {
    return huffmanEncode(text, into, writeInteger(into, offset, 0x80, 0x7f, coded));
  }
  const at = writeInteger(into, offset, 0, 0x7f, text.length);
  if (text.length > LOOP_LENGTH) return at + into.write(text, at, 'latin1');
  for (let index = 0; index < text.length; index++) into[at + index] = text.charCodeAt(index);
  return at + text.length;
}

/** 6.2: a literal field, its name by index or, with index 0, as a string. */
export function writeLiteral(
  into: Buffer,
  offset: number,
  representation: Representation,
  nameIndex: number,
  name: string,
  value: string,
): number {
  const mask = representation === INCREMENTAL ? 0x3f : 0x0f;
  let at = writeInteger(into, offset, representation, mask, nameIndex);
  if (nameIndex === 0) at = writeString(into, at, name);
  return writeString(into, at, value);
}

/** 6.2.1: with incremental indexing. */
export const INCREMENTAL = 0x40;
/** 6.2.2: without indexing. */
export const WITHOUT = 0x00;
/** 6.2.3: never indexed, by no hop on the way. */
export const NEVER = 0x10;
export type Representation = typeof INCREMENTAL | typeof WITHOUT | typeof NEVER;

/** 6.1: a whole field by its index. */
export const writeIndexed = (into: Buffer, offset: number, index: number): number =>
  writeInteger(into, offset, 0x80, 0x7f, index);

/** 6.3: a dynamic table size update. */
export const writeResize = (into: Buffer, offset: number, maxBytes: number): number =>
  writeInteger(into, offset, 0x20, 0x1f, maxBytes);

/** The most that an integer takes: a first byte and 32 bits in groups of 7. */
const INTEGER_BYTES = 6;

/** Room for two size updates. */
export const RESIZE_BYTES = 2 * INTEGER_BYTES;

/** An upper bound of the bytes that the fields (name, value, name, value, ...) and two size updates take. */
export function blockBound(fields: readonly string[]): number {
  let bytes = RESIZE_BYTES;
  for (let at = 0; at < fields.length; at++) bytes += fields[at]!.length + 2 * INTEGER_BYTES;
  return bytes;
}
