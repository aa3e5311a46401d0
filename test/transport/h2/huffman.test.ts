import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HpackError } from '../../../transport/h2/hpack-error.js';
import { huffmanDecode, huffmanEncode, huffmanLength } from '../../../transport/h2/huffman.js';
import { ofBytes } from './blocks.js';

const encode = (text: string): Buffer => {
  const into = Buffer.alloc(huffmanLength(text) + 2, 0xaa);
  const end = huffmanEncode(text, into, 1);
  assert.equal(end, into.length - 1, 'the length is what was promised');
  assert.equal(into[0], 0xaa);
  assert.equal(into[end], 0xaa, 'nothing is written behind the end');
  return into.subarray(1, end);
};
const decode = (hex: string): string => {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  return huffmanDecode(bytes, 0, bytes.length);
};

describe('the Huffman code of HPACK', () => {
  // RFC 7541, C.4 and C.6.
  const vectors = {
    'www.example.com': 'f1e3 c2e5 f23a 6ba0 ab90 f4ff',
    'no-cache': 'a8eb 1064 9cbf',
    'custom-key': '25a8 49e9 5ba9 7d7f',
    'custom-value': '25a8 49e9 5bb8 e8b4 bf',
    '302': '6402',
    '307': '640e ff',
    private: 'aec3 771a 4b',
    'Mon, 21 Oct 2013 20:13:21 GMT': 'd07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff',
    'https://www.example.com': '9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3',
    gzip: '9bd9 ab',
    'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1':
      '94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
    '': '',
  };
  for (const [text, hex] of Object.entries(vectors)) {
    test(`codes "${text}" as the RFC does`, () => {
      assert.equal(encode(text).toString('hex'), hex.replaceAll(' ', ''));
      assert.equal(decode(hex), text);
    });
  }

  test('codes each byte on its own as appendix B lists it', () => {
    // A few of each length, and all of the longest.
    const listed: readonly [symbol: number, code: number, length: number][] = [
      [0x30, 0x0, 5],
      [0x74, 0x9, 5],
      [0x20, 0x14, 6],
      [0x75, 0x2d, 6],
      [0x3a, 0x5c, 7],
      [0x7a, 0x7b, 7],
      [0x26, 0xf8, 8],
      [0x5a, 0xfd, 8],
      [0x21, 0x3f8, 10],
      [0x3f, 0x3fc, 10],
      [0x27, 0x7fa, 11],
      [0x7c, 0x7fc, 11],
      [0x23, 0xffa, 12],
      [0x3e, 0xffb, 12],
      [0, 0x1ff8, 13],
      [0x7e, 0x1ffd, 13],
      [0x5e, 0x3ffc, 14],
      [0x7d, 0x3ffd, 14],
      [0x3c, 0x7ffc, 15],
      [0x7b, 0x7ffe, 15],
      [0x5c, 0x7fff0, 19],
      [208, 0x7fff2, 19],
      [128, 0xfffe6, 20],
      [226, 0xfffed, 20],
      [153, 0x1fffdc, 21],
      [230, 0x1fffe8, 21],
      [129, 0x3fffd2, 22],
      [233, 0x3fffeb, 22],
      [1, 0x7fffd8, 23],
      [239, 0x7ffff4, 23],
      [9, 0xffffea, 24],
      [237, 0xfffff5, 24],
      [199, 0x1ffffec, 25],
      [235, 0x1ffffef, 25],
      [192, 0x3ffffe0, 26],
      [255, 0x3ffffee, 26],
      [203, 0x7ffffde, 27],
      [254, 0x7fffff0, 27],
      [2, 0xfffffe2, 28],
      [249, 0xffffffe, 28],
      [10, 0x3ffffffc, 30],
      [13, 0x3ffffffd, 30],
      [22, 0x3ffffffe, 30],
    ];
    for (const [symbol, code, length] of listed) {
      const bits = code.toString(2).padStart(length, '0');
      const padded = bits.padEnd(8 * Math.ceil(length / 8), '1');
      const hex = padded.replaceAll(/.{8}/g, (byte) =>
        Number.parseInt(byte, 2).toString(16).padStart(2, '0'),
      );
      assert.equal(encode(String.fromCharCode(symbol)).toString('hex'), hex, `symbol ${symbol}`);
    }
  });

  test('gives back whatever it has coded, each byte next to each', () => {
    const every = Array.from({ length: 256 }, (_, symbol) => String.fromCharCode(symbol));
    for (const first of every) {
      const text = every.map((second) => first + second).join('');
      const bytes = encode(text);
      assert.equal(huffmanDecode(bytes, 0, bytes.length), text);
    }
    fc.assert(
      fc.property(ofBytes({ maxLength: 9_000 }), (text) => {
        const bytes = encode(text);
        assert.equal(huffmanDecode(bytes, 0, bytes.length), text);
      }),
    );
  });

  for (const [what, hex] of [
    ['EOS', 'ffffffff'],
    ['EOS behind a text', '1fffffffff'],
    ['a byte of padding', '1cffff'],
    ['nothing but a byte of padding', 'ff'],
    ['padding of zeros', '18'],
    ['padding that is not all ones', '1e'],
    ['the start of a long code', 'fffffe'],
  ] as const) {
    test(`refuses ${what}`, () => {
      assert.throws(() => decode(hex), HpackError);
    });
  }

  test('takes any padding up to 7 bits of ones', () => {
    assert.equal(decode('1f'), 'a');
    for (let length = 0; length < 16; length++) {
      const text = '0'.repeat(length);
      assert.equal(decode(encode(text).toString('hex')), text);
    }
  });

  test('refuses characters that are not one byte, instead of cutting them to another', () => {
    assert.throws(() => huffmanLength('line\u010abreak'), RangeError);
  });

  test('reads and refuses random bytes, and does nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          const text = huffmanDecode(bytes, 0, bytes.length);
          // What it takes is coded in one way only.
          assert.deepEqual(Uint8Array.from(encode(text)), bytes);
        } catch (error) {
          assert.ok(error instanceof HpackError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
