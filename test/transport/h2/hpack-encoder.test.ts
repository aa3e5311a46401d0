import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HpackDecoder } from '../../../transport/h2/hpack-decoder.js';
import { encodeStateless, HpackEncoder } from '../../../transport/h2/hpack-encoder.js';
import { PreparedBlock } from '../../../transport/h2/hpack-prepared.js';
import { blockBound } from '../../../transport/h2/hpack-writer.js';
import { entries, fieldLists, hex } from './blocks.js';

const request = [
  ...[':method', 'POST', ':scheme', 'http', ':path', '/lictor.test.Echo/Say', ':authority', 'localhost:1'],
  ...['content-type', 'application/grpc', 'te', 'trailers'],
];

describe('what an encoder puts into its table', () => {
  test('is a field that comes the second time', () => {
    const encoder = new HpackEncoder();
    const sizes = [1, 2, 3].map(() => encoder.encode(['x-tenant', 'one']).length);
    assert.deepEqual(entries(encoder), ['x-tenant: one']);
    assert.ok(sizes[1]! > 1);
    assert.equal(sizes[2], 1);
  });

  test('is no value that is another each time', () => {
    const encoder = new HpackEncoder();
    for (let at = 0; at < 1_000; at++) encoder.encode(['x-request-id', `${at}-abcdef-${at * 7_919}`]);
    assert.deepEqual(entries(encoder), []);
  });

  test('is never a secret, nor bytes', () => {
    const encoder = new HpackEncoder();
    for (let times = 0; times < 3; times++) {
      for (const name of ['authorization', 'cookie', 'trace-bin', 'grpc-message']) {
        encoder.encode([name, 'value']);
        if (name !== 'trace-bin' && name !== 'grpc-message') encoder.encodeRepeating([name, 'value']);
      }
    }
    assert.deepEqual(entries(encoder), []);
    // 6.2.3: 0001 and the index of the name, here 23.
    assert.equal(encoder.encode(['authorization', 'x']).toString('hex'), '1f080178');
  });

  test('is the name of a field whose value always changes', () => {
    const encoder = new HpackEncoder();
    for (let ms = 0; ms < 50; ms++) encoder.encode(['grpc-timeout', `${ms}m`]);
    assert.deepEqual(entries(encoder), ['grpc-timeout: 0m']);
    assert.equal(encoder.encode(['grpc-timeout', '1S']).length, 1 + 1 + 1 + 2);
  });

  test('is nothing that takes more than half of it', () => {
    const encoder = new HpackEncoder();
    for (let times = 0; times < 3; times++) encoder.encode(['x-large', 'v'.repeat(2_100)]);
    assert.deepEqual(entries(encoder), []);
  });
});

describe('the size of an encoder’s table', () => {
  test('is told to the peer once, at the start of the next block, with the smallest since the last (4.2)', () => {
    const encoder = new HpackEncoder();
    encoder.encodeRepeating(['x-a', 'b']);
    encoder.setMaxTableBytes(0);
    encoder.setMaxTableBytes(100);
    assert.equal(encoder.encode([':method', 'GET']).toString('hex'), '203f4582');
    assert.equal(encoder.encode([':method', 'GET']).toString('hex'), '82');
    assert.deepEqual(entries(encoder), []);
  });

  test('is the smaller of what both sides want, whatever the peer allows', () => {
    const encoder = new HpackEncoder({ maxTableBytes: 8192 });
    assert.equal(encoder.encode([]).length, 0);
    encoder.setMaxTableBytes(2 ** 32 - 1);
    assert.equal(encoder.table.maxBytes, 8192);
    assert.equal(encoder.encode([]).toString('hex'), '3fe13f');
    encoder.setMaxTableBytes(64);
    assert.equal(encoder.table.maxBytes, 64);
    assert.equal(new HpackEncoder({ maxTableBytes: 0 }).encode([]).toString('hex'), '20');
  });

  test('is told in front of a ready-made block too', () => {
    const encoder = new HpackEncoder();
    const block = encodeStateless([':status', '200']);
    assert.equal(encoder.prepare(block), block);
    encoder.setMaxTableBytes(0);
    assert.equal(encoder.prepare(block).toString('hex'), '2088');
    assert.equal(encoder.prepare(block), block);
  });
});

describe('a ready-made block', () => {
  test('is understood in every state of the table and changes none', () => {
    const decoder = new HpackDecoder();
    const block = encodeStateless([...request, 'authorization', 'secret']);
    decoder.decode(hex('4001610162'));
    assert.deepEqual(decoder.decode(block), [...request, 'authorization', 'secret']);
    assert.deepEqual(entries(decoder), ['a: b']);
  });
});

describe('a prepared block', () => {
  test('is a byte for each field from the second use on, and the same bytes', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    const block = new PreparedBlock(encoder, request);
    assert.deepEqual(decoder.decode(block.encode()), request);
    const second = block.encode();
    assert.equal(second.length, request.length / 2);
    assert.deepEqual(decoder.decode(second), request);
    assert.equal(block.encode(), second);
  });

  test('tells a new size of the table once', () => {
    const encoder = new HpackEncoder();
    const block = new PreparedBlock(encoder, request);
    for (let times = 0; times < 2; times++) block.encode();
    encoder.setMaxTableBytes(2048);
    const sizes = [1, 2, 3].map(() => block.encode().length);
    assert.deepEqual(sizes, [3 + request.length / 2, request.length / 2, request.length / 2]);
  });

  test('is made again after the table has changed', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    const lists = ['a', 'b', 'c'].map((value) => [...request, 'x-value', value]);
    const blocks = lists.map((fields) => new PreparedBlock(encoder, fields));
    for (const size of [4096, 200, 0, 4096]) {
      encoder.setMaxTableBytes(size);
      for (let times = 0; times < 3; times++) {
        for (const [at, block] of blocks.entries()) {
          assert.deepEqual(decoder.decode(block.encode()), lists[at]);
        }
      }
      assert.deepEqual(entries(decoder), entries(encoder));
    }
  });
});

describe('encoder and decoder', () => {
  type Action =
    | { readonly kind: 'encode' | 'repeating' | 'prepared' | 'stateless'; readonly fields: string[] }
    | { readonly kind: 'resize'; readonly bytes: number };
  const action: fc.Arbitrary<Action> = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('encode' as const), fields: fieldLists }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('repeating' as const), fields: fieldLists }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('prepared' as const), fields: fieldLists }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('stateless' as const), fields: fieldLists }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('resize' as const),
        bytes: fc.constantFrom(0, 40, 100, 300, 1_000, 4_096, 10_000),
      }),
    },
  );

  test('agree on the fields and on the table over any sequence of blocks and sizes', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const encoder = new HpackEncoder({ maxTableBytes: 5_000 });
        const decoder = new HpackDecoder();
        const prepared: { fields: string[]; block: PreparedBlock }[] = [];
        const check = (block: Buffer, fields: string[]) => {
          assert.ok(block.length <= blockBound(fields));
          assert.deepEqual(decoder.decode(block), fields);
          assert.deepEqual(entries(decoder), entries(encoder));
          assert.equal(decoder.table.sizeBytes, encoder.table.sizeBytes);
        };
        for (const next of actions) {
          switch (next.kind) {
            case 'resize':
              encoder.setMaxTableBytes(next.bytes);
              decoder.setMaxTableBytes(next.bytes);
              break;
            case 'encode':
              check(encoder.encode(next.fields), next.fields);
              break;
            case 'repeating':
              check(encoder.encodeRepeating(next.fields), next.fields);
              break;
            case 'stateless':
              check(encoder.prepare(encodeStateless(next.fields)), next.fields);
              break;
            case 'prepared':
              prepared.push({ fields: next.fields, block: new PreparedBlock(encoder, next.fields) });
              break;
          }
          if (next.kind === 'resize') continue;
          for (const { fields, block } of prepared.slice(-3)) check(block.encode(), fields);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('write into a buffer of the caller, from an offset on', () => {
    const encoder = new HpackEncoder();
    const into = Buffer.alloc(9 + blockBound(request), 0xaa);
    const end = encoder.write(request, into, 9);
    assert.deepEqual(new HpackDecoder().decode(into, 9, end), request);
    assert.ok(into.subarray(0, 9).every((byte) => byte === 0xaa));
  });

  test('refuse characters that are not one byte', () => {
    assert.throws(() => new HpackEncoder().encode(['x-a', '\u010a']), RangeError);
    assert.throws(() => encodeStateless(['x-a', '\u010a']), RangeError);
  });
});
