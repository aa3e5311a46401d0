import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HpackDecoder } from '../../../transport/h2/hpack-decoder.js';
import { HpackEncoder } from '../../../transport/h2/hpack-encoder.js';
import { BlockReader } from '../../../transport/h2/hpack-reader.js';
import { writeInteger } from '../../../transport/h2/hpack-writer.js';
import { entries, hex } from './blocks.js';

// RFC 7541, appendix C.

describe('RFC 7541, C.1: integers', () => {
  for (const [value, mask, bytes] of [
    [10, 0x1f, '0a'],
    [1337, 0x1f, '1f9a0a'],
    [42, 0xff, '2a'],
  ] as const) {
    test(`${value} in a prefix with the mask ${mask}`, () => {
      const into = Buffer.alloc(8);
      assert.equal(into.subarray(0, writeInteger(into, 0, 0, mask, value)).toString('hex'), bytes);
      const reader = new BlockReader();
      reader.bytes = into;
      reader.end = into.length;
      assert.equal(reader.integer(mask), value);
      assert.equal(reader.at, bytes.length / 2);
    });
  }
});

type Step = {
  readonly block: string;
  readonly fields: readonly string[];
  readonly table: readonly string[];
  readonly tableBytes: number;
};

const single: Readonly<Record<string, Step>> = {
  'C.2.1, literal with indexing': {
    block: '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
    fields: ['custom-key', 'custom-header'],
    table: ['custom-key: custom-header'],
    tableBytes: 55,
  },
  'C.2.2, literal without indexing': {
    block: '040c 2f73 616d 706c 652f 7061 7468',
    fields: [':path', '/sample/path'],
    table: [],
    tableBytes: 0,
  },
  'C.2.3, literal never indexed': {
    block: '1008 7061 7373 776f 7264 0673 6563 7265 74',
    fields: ['password', 'secret'],
    table: [],
    tableBytes: 0,
  },
  'C.2.4, indexed': { block: '82', fields: [':method', 'GET'], table: [], tableBytes: 0 },
};

const requests = (blocks: readonly [string, string, string]): readonly Step[] => [
  {
    block: blocks[0],
    fields: [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
    table: [':authority: www.example.com'],
    tableBytes: 57,
  },
  {
    block: blocks[1],
    fields: [
      ...[':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
      ...['cache-control', 'no-cache'],
    ],
    table: ['cache-control: no-cache', ':authority: www.example.com'],
    tableBytes: 110,
  },
  {
    block: blocks[2],
    fields: [
      ...[':method', 'GET', ':scheme', 'https', ':path', '/index.html', ':authority', 'www.example.com'],
      ...['custom-key', 'custom-value'],
    ],
    table: ['custom-key: custom-value', 'cache-control: no-cache', ':authority: www.example.com'],
    tableBytes: 164,
  },
];

const date = (second: number) => `Mon, 21 Oct 2013 20:13:${second} GMT`;
const cookie = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
const location = ['location', 'https://www.example.com'];

const responses = (blocks: readonly [string, string, string]): readonly Step[] => [
  {
    block: blocks[0],
    fields: [':status', '302', 'cache-control', 'private', 'date', date(21), ...location],
    table: [
      'location: https://www.example.com',
      `date: ${date(21)}`,
      'cache-control: private',
      ':status: 302',
    ],
    tableBytes: 222,
  },
  {
    block: blocks[1],
    fields: [':status', '307', 'cache-control', 'private', 'date', date(21), ...location],
    table: [
      ':status: 307',
      'location: https://www.example.com',
      `date: ${date(21)}`,
      'cache-control: private',
    ],
    tableBytes: 222,
  },
  {
    block: blocks[2],
    fields: [
      ...[':status', '200', 'cache-control', 'private', 'date', date(22), ...location],
      ...['content-encoding', 'gzip', 'set-cookie', cookie],
    ],
    table: [`set-cookie: ${cookie}`, 'content-encoding: gzip', `date: ${date(22)}`],
    tableBytes: 215,
  },
];

const requestsInHuffman = requests([
  '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
  '8286 84be 5886 a8eb 1064 9cbf',
  '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
]);
const responsesInHuffman = responses([
  `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad
   1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
  '4883 640e ffc1 c0bf',
  `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2
   e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
]);

const sequences: Readonly<Record<string, { maxTableBytes: number; steps: readonly Step[] }>> = {
  'C.3, requests without Huffman': {
    maxTableBytes: 4096,
    steps: requests([
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ]),
  },
  'C.4, requests with Huffman': { maxTableBytes: 4096, steps: requestsInHuffman },
  'C.5, responses without Huffman, with eviction': {
    maxTableBytes: 256,
    steps: responses([
      `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32
       3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
      '4803 3330 37c1 c0bf',
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970
       7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61
       6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
    ]),
  },
  'C.6, responses with Huffman, with eviction': { maxTableBytes: 256, steps: responsesInHuffman },
};

function checkStep(decoder: HpackDecoder, step: Step): void {
  assert.deepEqual(decoder.decode(hex(step.block)), step.fields);
  assert.deepEqual(entries(decoder), step.table);
  assert.equal(decoder.table.sizeBytes, step.tableBytes);
}

describe('RFC 7541, C.2 to C.6: header blocks', () => {
  for (const [title, step] of Object.entries(single)) {
    test(`decodes ${title}`, () => checkStep(new HpackDecoder(), step));
  }
  for (const [title, { maxTableBytes, steps }] of Object.entries(sequences)) {
    test(`decodes ${title}`, () => {
      const decoder = new HpackDecoder({ maxTableBytes });
      for (const step of steps) checkStep(decoder, step);
    });
  }

  test('encodes C.4', () => {
    const encoder = new HpackEncoder();
    for (const { fields, block, table, tableBytes } of requestsInHuffman) {
      assert.equal(encoder.encodeRepeating(fields).toString('hex'), hex(block).toString('hex'));
      assert.deepEqual(entries(encoder), table);
      assert.equal(encoder.table.sizeBytes, tableBytes);
    }
  });

  test('encodes C.6, but for the size update and for a string that Huffman does not make shorter', () => {
    const encoder = new HpackEncoder({ maxTableBytes: 256, indexing: () => 'repeated' });
    for (const [at, { fields, block, table, tableBytes }] of responsesInHuffman.entries()) {
      const expected = hex(block).toString('hex');
      const own = at === 0 ? `3fe101${expected}` : expected.replace('4883640eff', '4803333037');
      assert.equal(encoder.encodeRepeating(fields).toString('hex'), own);
      assert.deepEqual(entries(encoder), table);
      assert.equal(encoder.table.sizeBytes, tableBytes);
    }
  });
});
