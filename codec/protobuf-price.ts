import type pb from 'protobufjs';
import { type DecodedLimit, tooLargeDecoded } from '../rpc/decoded-limit.js';
import { capacityWith, growthCost, indexOf, stringCost } from './heap-cost.js';
import { completeCosts, type FieldCosts, sizeOf, type TypeCosts } from './protobuf-costs.js';

export type PriceCheck = (bytes: Uint8Array, what: string, limit: DecodedLimit) => void;

/**
 * The check of a type's messages, which is one comparison for those that are small. Of a type that is not known nothing is
 * checked.
 * @throws RpcError RESOURCE_EXHAUSTED, from the check, for a message that is over the limit
 */
export function priceCheckOf(type: pb.Type | undefined): PriceCheck {
  if (!type) return () => {};
  const { mostPerByte } = completeCosts(type);
  return (bytes, what, limit) => {
    if (bytes.length * mostPerByte <= limit.bytes) return;
    const price = protobufPrice(type, bytes, limit.bytes);
    if (price > limit.bytes) throw tooLargeDecoded(what, bytes.length, price, limit);
  };
}

/**
 * Estimates what a message will take of the heap once it is decoded, from its bytes and its type. One pass, which makes
 * no object but itself. It stops where the decoder will find the bytes malformed, and when the price is over `max` or can
 * no longer be.
 */
export function protobufPrice(type: pb.Type, bytes: Uint8Array, max: number): number {
  const costs = completeCosts(type);
  const scan = new Scan(bytes, max, costs.mostPerByte);
  scan.message(costs, 0, bytes.length, 0, 0);
  return scan.price;
}

/** More than the 100 of protobufjs: what it refuses need not be looked at, but all that it takes. */
const MAX_DEPTH = 110;
const STOPPED = -1;
const BYTES_BETWEEN_LOOKS = 256;
/** Half of what 4 MiB may cost by default. The object itself adds to it, less for each byte where they are many. */
const CHEAP_PER_BYTE = 8;
const MIN_CHEAP_BYTES = 32;
/** Tags of the fields of a map's entry. */
const KEY_VARINT = 0x08;
const KEY_TEXT = 0x0a;
const VALUE_VARINT = 0x10;
/** Of a group that no field knows. */
const NOTHING: TypeCosts = { empty: 0, isPlainInJson: false, mostPerByte: 0, fields: [] };
/** Larger than any message: two of them can be added without loss. */
const TOO_LONG = 2 ** 40;

class Scan {
  price = 0;
  readonly #bytes: Uint8Array;
  readonly #max: number;
  readonly #mostPerByte: number;
  #nextLook = 0;
  /** Behind the varint that was read last. */
  #next = 0;
  /** What the map that was seen last has room for, when its keys are indexes. */
  #map: FieldCosts | undefined;
  #capacity = 0;

  constructor(bytes: Uint8Array, max: number, mostPerByte: number) {
    this.#bytes = bytes;
    this.#max = max;
    this.#mostPerByte = mostPerByte;
  }

  /** Whether the price is over the limit, or can no longer be. */
  #isDecided(at: number): boolean {
    this.#nextLook = at + BYTES_BETWEEN_LOOKS;
    return this.price > this.#max || this.price + (this.#bytes.length - at) * this.#mostPerByte <= this.#max;
  }

  /** Returns where the message ends: at `end`, or behind the end of its group. */
  message({ fields }: TypeCosts, start: number, end: number, depth: number, group: number): number {
    if (depth > MAX_DEPTH) return STOPPED;
    const bytes = this.#bytes;
    let at = start;
    while (at < end) {
      if (at >= this.#nextLook && this.#isDecided(at)) return STOPPED;
      let tag = bytes[at++]!;
      if (tag >= 0x80) {
        tag = this.#varint(at - 1, end);
        at = this.#next;
      }
      const wireType = tag & 7;
      const id = tag >>> 3;
      const field = id < fields.length ? fields[id] : undefined;
      const isExpected = field?.wireType === wireType;
      if (wireType === 0) {
        if (isExpected) this.#number(field, at, end);
        while (at < end && bytes[at]! >= 0x80) at++;
        at++;
      } else if (wireType === 2) {
        if (at === end) return STOPPED;
        let length = bytes[at++]!;
        if (length >= 0x80) {
          length = this.#varint(at - 1, end);
          at = this.#next;
        }
        const until = at + length;
        if (until > end) return STOPPED;
        if (isExpected) at = this.#sized(field, at, until, depth);
        else if (field?.isPackable) this.price += field.each * this.#countPacked(field, at, until);
        if (at === STOPPED) return STOPPED;
        at = until;
      } else {
        if (wireType === 4) return id === group ? at : STOPPED;
        at = this.#fixedOrGroup(id, wireType, isExpected ? field : undefined, at, end, depth);
        if (at === STOPPED) return STOPPED;
      }
    }
    return group === 0 ? at : STOPPED;
  }

  #number(field: FieldCosts, at: number, end: number): void {
    this.price += field.each;
    if (field.key) this.#makeRoom(field.key, this.#varint(at, end));
  }

  #fixedOrGroup(
    id: number,
    wireType: number,
    field: FieldCosts | undefined,
    at: number,
    end: number,
    depth: number,
  ): number {
    if (field) this.price += field.each;
    switch (wireType) {
      case 1:
      case 5:
        if (field?.key && end - at >= 4) this.#makeRoom('number', this.#fixed32(at));
        return at + sizeOf(wireType);
      case 3:
        return this.#inner(field?.inner ?? NOTHING, at, end, depth, id);
      default:
        return STOPPED;
    }
  }

  /** A text, bytes, a message or a map's entry. */
  #sized(field: FieldCosts, start: number, end: number, depth: number): number {
    this.price += field.each;
    switch (field.holds) {
      case 'message':
        if (start === end) return end;
        if (this.#isBounded(field.inner!, end - start)) return end;
        return this.#inner(field.inner!, start, end, depth, 0);
      case 'entry':
        if (field !== this.#map) {
          this.#map = field;
          this.#capacity = 0;
        }
        return this.#entry(field.inner!, start, end, depth);
      case 'string':
        this.price += stringCost(end - start);
        if (field.key) this.#makeRoom('text', indexOf(this.#bytes, start, end));
        return end;
      default:
        return end;
    }
  }

  /** A record of plain fields cannot cost much, whatever is in it. */
  #isBounded({ mostPerByte }: TypeCosts, bytes: number): boolean {
    if (mostPerByte > CHEAP_PER_BYTE || bytes < MIN_CHEAP_BYTES) return false;
    this.price += bytes * mostPerByte;
    return true;
  }

  /** protobufjs does not count it as a level. Mostly it is a short key and a small value, which need no loop. */
  #entry(costs: TypeCosts, start: number, end: number, depth: number): number {
    const bytes = this.#bytes;
    const key = costs.fields[1]!;
    let at = start;
    if (
      key.wireType === 2 &&
      bytes[at] === KEY_TEXT &&
      at + 2 + bytes[at + 1]! <= end &&
      bytes[at + 1]! < 0x80
    ) {
      at = this.#sized(key, start + 2, start + 2 + bytes[start + 1]!, depth);
    } else if (key.wireType === 0 && bytes[at] === KEY_VARINT) {
      this.price += key.each;
      this.#makeRoom(key.key!, this.#varint(at + 1, end));
      at = this.#next;
    }
    if (at === end) return end;
    const value = costs.fields[2]!;
    const isSmall = value.each === 0 && value.wireType === 0 && bytes[at] === VALUE_VARINT;
    if (isSmall && at + 2 === end && bytes[at + 1]! < 0x80) return end;
    return this.message(costs, at, end, depth, 0);
  }

  /** A message has maps of its own. */
  #inner(costs: TypeCosts, start: number, end: number, depth: number, group: number): number {
    const map = this.#map;
    const capacity = this.#capacity;
    this.#map = undefined;
    const at = this.message(costs, start, end, depth + 1, group);
    this.#map = map;
    this.#capacity = capacity;
    return at;
  }

  #makeRoom(key: NonNullable<FieldCosts['key']>, value: number): void {
    const index = key === 'zigzag' ? (value & 1 ? -1 : value / 2) : value;
    if (index < 0) return;
    const capacity = capacityWith(this.#capacity, index);
    this.price += growthCost(this.#capacity, capacity);
    this.#capacity = capacity;
  }

  #countPacked({ wireType }: FieldCosts, start: number, end: number): number {
    if (wireType !== 0) return Math.floor((end - start) / sizeOf(wireType));
    let values = 0;
    for (let at = start; at < end; at++) if (this.#bytes[at]! < 0x80) values++;
    return values;
  }

  #fixed32(at: number): number {
    const bytes = this.#bytes;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }

  /** Its low 32 bits, or what is too long for any message. */
  #varint(start: number, end: number): number {
    let value = 0;
    let at = start;
    for (let shift = 0; at < end; shift += 7) {
      const byte = this.#bytes[at++]!;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.#next = at;
        return value >>> 0;
      }
    }
    this.#next = at;
    return TOO_LONG;
  }
}
