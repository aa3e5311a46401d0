import { distinctKeys } from './distinct-keys.js';
import {
  ARRAY,
  BIGINT,
  capacityWith,
  DATE,
  ELEMENTS,
  growthCost,
  indexOf,
  NUMBER,
  objectCost,
  SLOT,
  stringCost,
  TABLE_ENTRY,
  VIEW,
} from './heap-cost.js';
import { MAX_DEPTH } from './msgpack-shape.js';

/** A key of two bytes can make an object reserve 1,500 places. */
const MOST_PER_BYTE = 3_700;
/** The decoder's objects with more keys are hash tables. */
const MOST_FAST_KEYS = 13;
const KNOWN_TABLE_ENTRY = 48;

/** Heads of small integers, nil and booleans. */
const isFree = Uint8Array.from({ length: 256 }, (_, head) =>
  head < 0x80 || head >= 0xe0 || (head >= 0xc0 && head <= 0xc3) ? 1 : 0,
);

/** Whether so many bytes cannot cost more, whatever they are. */
export const isCheapMsgpack = (bytes: number, max: number): boolean => bytes * MOST_PER_BYTE <= max;

/**
 * Estimates what a MessagePack value will take of the heap once it is decoded. One pass, which makes nothing but itself.
 * It stops where the decoder will refuse the bytes, and when the price is over `max` or can no longer be.
 */
export function msgpackPrice(bytes: Uint8Array, max: number): number {
  return new Scan(bytes).price(max);
}

class Scan {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #keys = distinctKeys();
  #at = 0;
  #depth = 0;
  // Of the innermost open array or map: what is still to come, the price of a known key, or 0 for an array, and its
  // elements' room. Of those around it the same.
  #left = 1;
  #keyCost = 0;
  #capacity = 0;
  readonly #outer = new Int32Array(3 * MAX_DEPTH);

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#keys.forget();
  }

  price(max: number): number {
    const { length } = this.#bytes;
    let price = 0;
    while (this.#at < length) {
      if (this.#keyCost === 0) this.#skipFree();
      if (this.#left > 0) price += this.#next();
      while (this.#left === 0) {
        if (this.#depth === 0) return price;
        this.#close();
      }
      if (price > max || price + (length - this.#at) * MOST_PER_BYTE <= max) return price;
    }
    return price;
  }

  /** Values of an array that take nothing beside their places. */
  #skipFree(): void {
    const bytes = this.#bytes;
    const start = this.#at;
    const end = Math.min(bytes.length, start + this.#left);
    let at = start;
    while (at < end && isFree[bytes[at]!] === 1) at++;
    this.#at = at;
    this.#left -= at - start;
  }

  #next(): number {
    const start = this.#at;
    const isKey = this.#keyCost > 0 && (this.#left & 1) === 0;
    this.#left--;
    const cost = this.#value(this.#bytes[this.#at++]!);
    return isKey ? this.#keyPrice(start) : cost;
  }

  #value(head: number): number {
    if (head < 0x80 || head >= 0xe0) return 0;
    if (head < 0x90) return this.#map(head & 0x0f);
    if (head < 0xa0) return this.#array(head & 0x0f);
    if (head < 0xc0) return this.#text(head & 0x1f);
    switch (head) {
      case 0xc4:
      case 0xc5:
      case 0xc6:
        this.#skip(this.#length(1 << (head - 0xc4)));
        return VIEW;
      case 0xc7:
      case 0xc8:
      case 0xc9:
        this.#skip(1 + this.#length(1 << (head - 0xc7)));
        return DATE;
      case 0xcc:
      case 0xd0:
        this.#at += 1;
        return 0;
      case 0xcd:
      case 0xd1:
        this.#at += 2;
        return 0;
      case 0xca:
      case 0xce:
      case 0xd2:
        this.#at += 4;
        return NUMBER;
      case 0xcb:
        this.#at += 8;
        return NUMBER;
      case 0xcf:
      case 0xd3:
        this.#at += 8;
        return BIGINT;
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#length(1 << (head - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#length(head === 0xdc ? 2 : 4));
      case 0xde:
      case 0xdf:
        return this.#map(this.#length(head === 0xde ? 2 : 4));
      default:
        if (head < 0xd4) return 0; // nil, false, true
        this.#at += 1 + (1 << (head - 0xd4));
        return DATE;
    }
  }

  #array(values: number): number {
    if (values === 0) return ARRAY;
    this.#open(values, 0);
    return ARRAY + ELEMENTS + values * SLOT;
  }

  #map(entries: number): number {
    if (entries > 0) this.#open(entries * 2, entries > MOST_FAST_KEYS ? KNOWN_TABLE_ENTRY : SLOT);
    return objectCost(0);
  }

  #open(values: number, keyCost: number): void {
    if (this.#depth === MAX_DEPTH || values > this.#bytes.length - this.#at) {
      this.#at = this.#bytes.length; // The decoder refuses it.
      return;
    }
    const outer = 3 * this.#depth++;
    this.#outer[outer] = this.#left;
    this.#outer[outer + 1] = this.#keyCost;
    this.#outer[outer + 2] = this.#capacity;
    this.#left = values;
    this.#keyCost = keyCost;
    this.#capacity = 0;
  }

  #close(): void {
    const outer = 3 * --this.#depth;
    this.#left = this.#outer[outer]!;
    this.#keyCost = this.#outer[outer + 1]!;
    this.#capacity = this.#outer[outer + 2]!;
  }

  #skip(bytes: number): void {
    this.#at += bytes;
  }

  #text(length: number): number {
    this.#at += length;
    return stringCost(length);
  }

  /** The key that the last value was. */
  #keyPrice(start: number): number {
    const bytes = this.#bytes;
    const head = bytes[start]!;
    if (head >= 0xa0 && head < 0xc0) return this.#textKeyPrice(start + 1);
    if (head >= 0xd9 && head <= 0xdb) return this.#textKeyPrice(start + 1 + (1 << (head - 0xd9)));
    const number = numberAt(this.#view, start, this.#at);
    return TABLE_ENTRY + (number >= 0 && Number.isInteger(number) ? this.#room(number) : 0);
  }

  #textKeyPrice(start: number): number {
    const index = indexOf(this.#bytes, start, this.#at);
    if (index >= 0) return TABLE_ENTRY + this.#room(index);
    if (!this.#keys.isNew(this.#bytes, start, this.#at)) return this.#keyCost;
    return TABLE_ENTRY + 2 * (this.#at - start);
  }

  #room(index: number): number {
    const before = this.#capacity;
    this.#capacity = capacityWith(before, index);
    return growthCost(before, this.#capacity);
  }

  #length(size: number): number {
    const from = this.#at;
    this.#at += size;
    if (this.#at > this.#bytes.length) return 0;
    return size === 1
      ? this.#bytes[from]!
      : size === 2
        ? this.#view.getUint16(from)
        : this.#view.getUint32(from);
  }
}

/** The number that a key is; -1 for what cannot be a key, which the decoder refuses. */
function numberAt(view: DataView, at: number, end: number): number {
  if (end > view.byteLength) return -1; // Cut short.
  const head = view.getUint8(at);
  if (head < 0x80) return head;
  switch (head) {
    case 0xca:
      return view.getFloat32(at + 1);
    case 0xcb:
      return view.getFloat64(at + 1);
    case 0xcc:
      return view.getUint8(at + 1);
    case 0xcd:
      return view.getUint16(at + 1);
    case 0xce:
      return view.getUint32(at + 1);
    case 0xd0:
      return view.getInt8(at + 1);
    case 0xd1:
      return view.getInt16(at + 1);
    case 0xd2:
      return view.getInt32(at + 1);
    default:
      return -1;
  }
}
