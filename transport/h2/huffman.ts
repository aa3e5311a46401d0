import { HpackError } from './hpack-error.js';
import { latin1 } from './latin1.js';

// The string literals of RFC 7541, 5.2, in the Huffman code of its appendix B.

/**
 * Appendix B: the length of each symbol's code in bits, in base 36, sixteen symbols a row. The code is canonical
 * (codes of one length are consecutive numbers in the order of their symbols), so the lengths say it all.
 */
const LENGTHS = Uint8Array.from(
  [
    'dnsssssssoussuss', // 0
    'ssssssusssssssss', // 16
    '6aacd68baa8b8666', // 32: space to /
    '555666666678f6ca', // 48: 0 to ?
    'd677777777777777', // 64: @ to O
    '77777777878djde6', // 80: P to _
    'f565656665776665', // 96: ` to o
    '67655677777fbeds', // 112: p to DEL
    'kmkkmmmnmnnnnnon', // 128
    'oomnonnnnlmnmnno', // 144
    'mlkmmnnlnmmolmnn', // 160
    'llmlnmnnkmmmnmmn', // 176
    'qqkjmnmpqqqrrqop', // 192
    'jlqrrqrollqqsrrr', // 208
    'koklmllnmmppooqn', // 224
    'qrqqrrrrrsrrrrrq', // 240
    'u', // 256: EOS
  ].join(''),
  (digit) => Number.parseInt(digit, 36),
);

const EOS = 256;
const LONGEST = 30;

/** The code of each symbol, aligned to the least significant bit. */
const CODES = new Uint32Array(257);
for (let length = 1, code = 0; length <= LONGEST; length++, code <<= 1) {
  for (let symbol = 0; symbol <= EOS; symbol++) if (LENGTHS[symbol] === length) CODES[symbol] = code++;
}

/**
 * The bytes that `text` takes in this code, padding included.
 * @throws RangeError if a character is not one byte
 */
export function huffmanLength(text: string): number {
  let bits = 0;
  let all = 0;
  for (let at = 0; at < text.length; at++) {
    const symbol = text.charCodeAt(at);
    all |= symbol;
    bits += LENGTHS[symbol & 0xff]!;
  }
  if (all > 0xff) throw new RangeError('a header field holds bytes: no character above U+00FF');
  return (bits + 7) >>> 3;
}

/** Writes the code of `text`, which `huffmanLength` has seen, and returns the offset behind it. */
export function huffmanEncode(text: string, into: Uint8Array, offset: number): number {
  let at = offset;
  // The low `waiting` bits of `bits` are still to be written, fewer than 8 between two symbols.
  let bits = 0;
  let waiting = 0;
  for (let index = 0; index < text.length; index++) {
    const symbol = text.charCodeAt(index);
    let code = CODES[symbol]!;
    let length = LENGTHS[symbol]!;
    if (length > 24) {
      // 7 bits and 30 more do not fit into 32: the first ones go ahead.
      bits = (bits << (length - 16)) | (code >>> 16);
      waiting += length - 16;
      for (; waiting >= 8; at++) {
        waiting -= 8;
        into[at] = bits >>> waiting;
      }
      code &= 0xffff;
      length = 16;
    }
    bits = (bits << length) | code;
    waiting += length;
    for (; waiting >= 8; at++) {
      waiting -= 8;
      into[at] = bits >>> waiting;
    }
  }
  // 5.2: the rest of the last byte is the start of EOS, which is all ones.
  if (waiting > 0) into[at++] = (bits << (8 - waiting)) | (0xff >>> waiting);
  return at;
}

/**
 * The decoder reads a byte at a time. Its state is a node of the code's tree: the bits read since the last symbol.
 * An entry per state and byte holds the next state in bits 0-7, the number of symbols completed (at most two, as no
 * code is shorter than 5 bits) in 8-9, and the symbols in 10-17 and 18-25.
 */
type Machine = {
  readonly steps: Int32Array;
  /** States in which a string may end: up to 7 bits read, all ones (5.2). */
  readonly ends: Uint8Array;
};

const REFUSED = -1;
let machine: Machine | undefined;

/** Built at the first use: 256 KiB. */
function buildMachine(): Machine {
  // A prefix code of 257 symbols is a tree of 256 inner nodes. A child is a node, or the complement of a symbol.
  const children = new Int16Array(2 * 256);
  for (let symbol = 0, nodes = 1; symbol <= EOS; symbol++) {
    let node = 0;
    for (let bit = LENGTHS[symbol]! - 1; bit > 0; bit--) {
      const child = 2 * node + ((CODES[symbol]! >>> bit) & 1);
      if (children[child] === 0) children[child] = nodes++;
      node = children[child]!;
    }
    children[2 * node + (CODES[symbol]! & 1)] = ~symbol;
  }

  const steps = new Int32Array(256 * 256).fill(REFUSED);
  const fill = (state: number, bits: number, byte: number, node: number, symbols: number): void => {
    if (bits === 8) {
      steps[(state << 8) | byte] = symbols | node;
      return;
    }
    for (let bit = 0; bit < 2; bit++) {
      const child = children[2 * node + bit]!;
      const next = (byte << 1) | bit;
      if (child >= 0) fill(state, bits + 1, next, child, symbols);
      else if (~child !== EOS) {
        const second = symbols !== 0;
        fill(state, bits + 1, next, 0, (symbols + 0x100) | (~child << (second ? 18 : 10)));
      }
    }
  };
  for (let state = 0; state < 256; state++) fill(state, 0, 0, state, 0);

  const ends = new Uint8Array(256);
  for (let node = 0, ones = 0; ones < 8; ones++, node = children[2 * node + 1]!) ends[node] = 1;
  return { steps, ends };
}

const scratch = Buffer.allocUnsafeSlow(4096);

/**
 * The text of the code in `bytes` from `start` to `end`, one character a byte.
 * @throws HpackError for EOS in the text, and for padding that is longer than 7 bits or not all ones (5.2)
 */
export function huffmanDecode(bytes: Uint8Array, start: number, end: number): string {
  machine ??= buildMachine();
  const { steps, ends } = machine;
  // No code is shorter than 5 bits.
  const most = Math.ceil(((end - start) * 8) / 5);
  const out = most <= scratch.length ? scratch : Buffer.allocUnsafe(most);
  let length = 0;
  let state = 0;
  for (let at = start; at < end; at++) {
    const step = steps[(state << 8) | bytes[at]!]!;
    if (step === REFUSED) throw new HpackError('EOS within a Huffman-coded string');
    if ((step & 0x300) !== 0) {
      out[length++] = step >>> 10;
      if ((step & 0x200) !== 0) out[length++] = step >>> 18;
    }
    state = step & 0xff;
  }
  if (ends[state] === 0)
    throw new HpackError('a Huffman-coded string is padded with more than 7 bits or not with ones');
  return latin1(out, 0, length);
}
