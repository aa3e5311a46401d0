// What values take of V8's heap, in bytes, on a machine of 64 bits without pointer compression, as Node is built.
// `npm run bench:decode` measures them, and test/codec/decoded-size.test.ts holds prices against the heap.

/** A place in an array or an object. */
export const SLOT = 8;
/** An array; its elements come on top. */
export const ARRAY = 32;
/** What an array that is not empty has before its elements. */
export const ELEMENTS = 24;
/** A number that is no small integer, where it has an object of its own. */
export const NUMBER = 16;
/** A bigint of 64 bits; that of zero takes 16. */
export const BIGINT = 24;
/** A Buffer or Uint8Array over bytes that are there already. */
export const VIEW = 104;
/** A Buffer over bytes of its own, even none. */
export const BUFFER = 192;
/** A Date. */
export const DATE = 120;
/**
 * An entry of an object that is a hash table, as those with many keys are: three words, up to four times as many as are
 * used, and the old table beside the new one while it grows.
 */
export const TABLE_ENTRY = 160;

const OBJECT = 56; // With room for four properties.
const EXPECTED_PROPERTIES = 4;
const MOST_FAST_PROPERTIES = 128;

/** An object with so many properties, without their values. */
export function objectCost(properties: number): number {
  if (properties > MOST_FAST_PROPERTIES) return OBJECT + properties * TABLE_ENTRY;
  const outside = properties - EXPECTED_PROPERTIES;
  return outside <= 0 ? OBJECT : OBJECT + 16 + Math.ceil(outside / 3) * 3 * SLOT;
}

/** A text of so many bytes in UTF-8. One character beyond Latin-1 makes all of them take two bytes. */
export const stringCost = (bytes: number): number => (bytes <= 1 ? 0 : 24 + 2 * bytes);

/** In place of a capacity: V8 has made a hash table of the elements. */
const TABLE = 2 ** 31 - 1;
const MOST_GAP = 1_024;
const MOST_UNCHECKED = 5_000;

/**
 * How many elements an object has room for once a key that is an index is set: a key `1000` alone makes room for 1,500.
 * @param capacity what there was room for before, at first 0
 */
export function capacityWith(capacity: number, index: number): number {
  if (index < capacity) return capacity;
  const grown = index + 1 + ((index + 1) >> 1) + 16;
  return index - capacity >= MOST_GAP || grown > MOST_UNCHECKED ? TABLE : grown;
}

export const growthCost = (before: number, after: number): number =>
  after === TABLE ? 0 : (after - before) * SLOT;

/** The most that one key which is an index can cost beside its entry: half of what was there, and the widest gap. */
export const MOST_GROWTH = 22_000;

const ZERO = 0x30;

/** The index that the bytes of a key spell; -1 for a key that is none. */
export function indexOf(bytes: Uint8Array, start: number, end: number): number {
  if (end === start || end - start > 4) return -1; // Longer ones are in a hash table.
  let index = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    index = index * 10 + digit;
  }
  return index;
}
