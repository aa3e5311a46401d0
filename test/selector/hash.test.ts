import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hash32, mix32 } from '../../selector/hash.js';

const hex = (hash: number) => (hash >>> 0).toString(16).padStart(8, '0');

// The vectors collected by Ian Boyd, stackoverflow.com/a/31929528; text in UTF-8.
const vectors: readonly (readonly [text: string, seed: number, hash: string])[] = [
  ['', 0, '00000000'],
  ['', 1, '514e28b7'],
  ['', 0xffffffff, '81f16f39'],
  ['\0\0\0\0', 0, '2362f9de'],
  ['\0\0\0', 0, '85f0b427'],
  ['\0\0', 0, '30f4c306'],
  ['\0', 0, '514e28b7'],
  ['aaaa', 0x9747b28c, '5a97808a'],
  ['aaa', 0x9747b28c, '283e0130'],
  ['aa', 0x9747b28c, '5d211726'],
  ['a', 0x9747b28c, '7fa09ea6'],
  ['abcd', 0x9747b28c, 'f0478627'],
  ['abc', 0x9747b28c, 'c84a62dd'],
  ['ab', 0x9747b28c, '74875592'],
  ['Hello, world!', 0x9747b28c, '24884cba'],
  ['ππππππππ', 0x9747b28c, 'd58063c1'],
  ['a'.repeat(256), 0x9747b28c, '37405bdc'],
  ['abc', 0, 'b3dd93fa'],
  ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', 0, 'ee925b90'],
  ['The quick brown fox jumps over the lazy dog', 0x9747b28c, '2fa826cd'],
];

test('it is MurmurHash3 x86_32: the published test vectors', () => {
  for (const [text, seed, hash] of vectors) assert.equal(hex(hash32(text, seed)), hash, JSON.stringify(text));
});

test('it hashes the UTF-8 bytes of any string, lone surrogates as TextEncoder has them', () => {
  const property = fc.property(
    fc.string({ unit: 'binary' }),
    fc.array(fc.nat(0xffff)),
    fc.integer(),
    (a, units, seed) => {
      const text = a + String.fromCharCode(...units) + a;
      assert.equal(hash32(text, seed), ofBytes(new TextEncoder().encode(text), seed));
    },
  );
  fc.assert(property, { seed: 9, numRuns: 500 });
});

test('flipping one bit of the input changes about half of the output bits', () => {
  let flips = 0;
  for (let i = 0; i < 1_000; i++) {
    for (let bit = 0; bit < 32; bit++) {
      let difference = mix32(i) ^ mix32(i ^ (1 << bit));
      for (; difference !== 0; difference &= difference - 1) flips++;
    }
  }
  assert.ok(Math.abs(flips / 32_000 - 16) < 0.5, `${flips / 32_000} of 32 bits`);
});

/** The algorithm as published, over bytes. */
function ofBytes(bytes: Uint8Array, seed: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const whole = bytes.length - (bytes.length % 4);
  const scramble = (k: number) => {
    const mixed = Math.imul(k, 0xcc9e2d51);
    return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
  };
  let hash = seed | 0;
  for (let i = 0; i < whole; i += 4) {
    hash ^= scramble(view.getInt32(i, true));
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let i = bytes.length - 1; i >= whole; i--) rest = (rest << 8) | bytes[i]!;
  return mix32(hash ^ scramble(rest) ^ bytes.length);
}
