import { distinctKeys } from './distinct-keys.js';
import { ARRAY, ELEMENTS, NUMBER, objectCost, SLOT, stringCost, TABLE_ENTRY } from './heap-cost.js';

/** What values cost beside their JSON: those of a .proto's types become messages. */
export interface JsonExtra {
  readonly perObject: number;
  readonly perValue: number;
}

export const NO_EXTRA: JsonExtra = { perObject: 0, perValue: 0 };

const OBJECT = objectCost(0);
/** `{"a":{"b":...` with keys that are new each. */
const MOST_PER_BYTE = 48;

const mostPerByte = ({ perObject, perValue }: JsonExtra): number => MOST_PER_BYTE + perObject / 2 + perValue;

/** Whether so many bytes cannot cost more than `max`, whatever they are. */
export const isCheapJson = (bytes: number, extra: JsonExtra, max: number): boolean =>
  bytes * mostPerByte(extra) <= max;

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const SPACE = 0x20;

const NOTHING = 0;
const STRING = 1;
const VALUE = 2;
const OPEN_OBJECT = 3;
const OPEN_ARRAY = 4;
const NO_INTEGER = 5;
/** What a byte outside of strings means for the price. */
const meaning = new Uint8Array(256);
meaning[QUOTE] = STRING;
meaning[0x2c] = VALUE; // A comma.
meaning[0x7b] = OPEN_OBJECT;
meaning[0x5b] = OPEN_ARRAY;
for (const byte of Buffer.from('.eE')) meaning[byte] = NO_INTEGER;

/**
 * Estimates what JSON will take of the heap once it is parsed. One pass over its bytes, which makes nothing. Text that is
 * no JSON gets any price: the parser refuses it. It stops when the price is over `max`, or can no longer be.
 */
export function jsonPrice(bytes: Uint8Array, extra: JsonExtra, max: number): number {
  const { perObject, perValue } = extra;
  const most = mostPerByte(extra);
  const { length } = bytes;
  const keys = distinctKeys();
  keys.forget();
  let price = perValue;
  for (let at = 0; at < length; at++) {
    switch (meaning[bytes[at]!]) {
      case NOTHING:
        continue;
      case STRING: {
        const start = at + 1;
        at = endOfString(bytes, start);
        if (!isKey(bytes, at)) price += stringCost(at - start);
        else if (isDigit(bytes[start]) || keys.isNew(bytes, start, at))
          price += TABLE_ENTRY + 2 * (at - start);
        else price += SLOT;
        break;
      }
      case VALUE:
        price += SLOT + perValue;
        continue;
      case OPEN_OBJECT:
        price += OBJECT + perObject + perValue;
        break;
      case OPEN_ARRAY:
        price += (bytes[at + 1] === CLOSE_ARRAY ? ARRAY : ARRAY + ELEMENTS) + perValue;
        break;
      case NO_INTEGER:
        price += NUMBER;
    }
    if (price > max || price + (length - at) * most <= max) return price;
  }
  return price;
}

/** Where the closing quote is, or the end. */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

/** Whether the string that ends here is a key. */
function isKey(bytes: Uint8Array, quote: number): boolean {
  let at = quote + 1;
  while (at < bytes.length && bytes[at]! <= SPACE) at++;
  return bytes[at] === COLON;
}

/** Keys that are numbers are kept apart from others, mostly in a table of their own. */
const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;
