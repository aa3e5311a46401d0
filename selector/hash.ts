/**
 * MurmurHash3 x86_32 (Austin Appleby, public domain, github.com/aappleby/smhasher) of a string's UTF-8 bytes.
 * A lone surrogate counts as U+FFFD, as in TextEncoder.
 *
 * @param seed 32 bits; another seed gives an independent hash. @default 0
 * @returns the 32 bits as a signed integer, since V8 keeps those without an allocation; `>>> 0` for the usual form
 */
export function hash32(text: string, seed = 0): number {
  let hash = seed | 0;
  let block = 0; // The bytes that do not fill 32 bits yet, the first one lowest.
  let blockBits = 0;
  let totalBytes = 0;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    let packed = code;
    let bits = 8;
    if (code >= 0x80) {
      if (code >= 0xd800 && code <= 0xdfff) {
        const low = code < 0xdc00 ? text.charCodeAt(i + 1) : Number.NaN;
        if (low >= 0xdc00 && low <= 0xdfff) {
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          i++;
        } else {
          code = 0xfffd;
        }
      }
      packed = utf8(code);
      bits = code < 0x800 ? 16 : code < 0x10000 ? 24 : 32;
    }
    totalBytes += bits >>> 3;
    block |= packed << blockBits;
    if (blockBits + bits < 32) {
      blockBits += bits;
      continue;
    }
    hash ^= scramble(block);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
    // A shift by 32 is a shift by 0 in JavaScript.
    block = blockBits === 0 ? 0 : packed >>> (32 - blockBits);
    blockBits += bits - 32;
  }
  if (blockBits > 0) hash ^= scramble(block);
  return mix32(hash ^ totalBytes);
}

/** Spreads the bits of an integer over all 32: MurmurHash3's `fmix32`, a bijection. Signed, like `hash32`. */
export function mix32(bits: number): number {
  let mixed = bits;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function scramble(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

/** The two to four bytes of a code point from U+0080, the first one lowest. */
function utf8(code: number): number {
  const last = 0x80 | (code & 0x3f);
  if (code < 0x800) return 0xc0 | (code >>> 6) | (last << 8);
  const middle = 0x80 | ((code >>> 6) & 0x3f);
  if (code < 0x10000) return 0xe0 | (code >>> 12) | (middle << 8) | (last << 16);
  return 0xf0 | (code >>> 18) | ((0x80 | ((code >>> 12) & 0x3f)) << 8) | (middle << 16) | (last << 24);
}
