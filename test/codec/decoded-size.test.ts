import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { json } from '../../codec/json.js';
import { rootOfAll } from '../../codec/proto-file.js';
import { readProtos } from '../../codec/proto-source.js';
import { messageTypeOf } from '../../codec/protobuf-type.js';
import { Status } from '../../rpc/status.js';
import { hasCode } from '../contract/serialization.js';
import { dearMessages, filled, packed, proto, sized, text, typeM, type Way } from './dear-messages.js';
import { heapOf } from './heap.js';
import { folderWith } from './proto-text.js';

const MIB = 1_048_576;
const DEFAULT = { bytes: 64 * MIB, side: 'server' } as const;
/** As a limit it stops no estimate, and no estimate is over it. */
const WHOLE = Number.NaN;

/** Price and heap may differ by these factors; tables and shapes of objects are priced at their worst. */
const LEAST = 0.8;
const MOST = 5;
/** What is measured takes about this much, so that the heap's other changes do not count. */
const MEASURED_BYTES = 4 * MIB;

const refused = (side = 'server') =>
  hasCode(Status.RESOURCE_EXHAUSTED, new RegExp(`once decoded; .*\\(maxDecodedBytes of the ${side}\\)`));

describe('the price of a message', () => {
  for (const { name, way, make } of dearMessages) {
    test(`${name}: is near what the decoded message takes of the heap`, () => {
      const sample = make(16_384);
      way.codec.decode(sample); // Compiles what decodes it.
      const pricePerByte = way.price(sample, WHOLE) / sample.length;
      const bytes = make(Math.floor(MEASURED_BYTES / pricePerByte));
      const heap = heapOf(() => way.codec.decode(bytes));
      const price = way.price(bytes, WHOLE);
      const seen = `price ${price}, heap ${heap}`;
      assert.ok(price >= heap * LEAST, seen);
      assert.ok(price <= heap * MOST, seen);
    });
  }

  for (const { name, way, make, taken } of dearMessages) {
    test(`${name}: 4 MiB are ${taken ? 'taken' : 'refused'} by default`, () => {
      const bytes = make(4 * MIB);
      if (taken) assert.doesNotThrow(() => way.codec.decodeWithin!(bytes, DEFAULT));
      else assert.throws(() => way.codec.decodeWithin!(bytes, DEFAULT), refused());
    });
  }

  for (const { name, way, make } of dearMessages) {
    test(`${name}: no byte costs more than is thought possible`, () => {
      const bytes = make(64 * 1_024);
      const price = way.price(bytes, WHOLE);
      // Where less than the price is allowed the message is refused, however small it is for its kind.
      assert.throws(
        () => way.codec.decodeWithin!(bytes, { bytes: price - 1, side: 'client' }),
        refused('client'),
      );
      assert.doesNotThrow(() => way.codec.decodeWithin!(bytes, { bytes: price, side: 'client' }));
    });
  }

  test('says size, estimate, limit, option and side', () => {
    assert.throws(
      () => proto.codec.decodeWithin!(filled(1_000, sized(1)), { bytes: 1_000, side: 'server' }),
      hasCode(
        Status.RESOURCE_EXHAUSTED,
        't.M: a message of 1000 bytes would take 8192 bytes of memory or more once decoded; at most 1000 are taken (maxDecodedBytes of the server)',
      ),
    );
  });
});

describe('the look before decoding', () => {
  const ways: readonly Way[] = [proto, packed, text];

  for (const way of ways) {
    test(`${way.name}: leaves what is malformed to the decoder, and changes no message`, () => {
      const outcome = (read: () => unknown) => {
        try {
          return { value: read() };
        } catch (error) {
          return { error: String(error) };
        }
      };
      const limit = { bytes: 20_000, side: 'server' } as const; // Little, so that the look takes place.
      const piece = fc.constantFrom(...dearMessages.filter((dear) => dear.way === way));
      fc.assert(
        fc.property(piece, fc.nat(120), fc.nat(119), fc.nat(255), (dear, size, at, byte) => {
          const bytes = Buffer.from(dear.make(20 + size));
          if (at < bytes.length) bytes[at] = byte;
          const given = outcome(() => way.codec.decodeWithin!(bytes, limit));
          if (given.error?.includes('maxDecodedBytes')) return;
          assert.deepEqual(
            given,
            outcome(() => way.codec.decode(bytes)),
          );
        }),
        { numRuns: 500 },
      );
    });

    test(`${way.name}: takes any bytes`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
          assert.ok(way.price(bytes, WHOLE) >= 0);
        }),
      );
    });
  }

  test('bytes that look like messages are bytes', () => {
    const bytes = sized(16, filled(MIB, sized(1)));
    assert.equal(proto.price(bytes, WHOLE), 0); // The default bytes of an empty message are in its price.
    assert.ok(proto.codec.decodeWithin!(bytes, DEFAULT));
  });

  test('fields that nobody knows cost nothing, groups among them', () => {
    const unknown = [sized(99, filled(100, sized(1))), Buffer.from('bb060a0008011500000000bc06', 'hex')];
    assert.equal(proto.price(Buffer.concat(unknown), WHOLE), 0);
  });

  test('what comes behind deep maps and groups is seen', () => {
    let deep: Uint8Array = Buffer.alloc(0);
    for (let depth = 0; depth < 45; depth++) {
      // A value that is an object with one member: google.protobuf.Value, Struct, entry.
      deep = sized(5, sized(1, Buffer.concat([sized(1, Buffer.from('k')), sized(2, deep)])));
    }
    const struct = sized(17, sized(1, Buffer.concat([sized(1, Buffer.from('k')), sized(2, deep)])));
    let groups: Uint8Array = Buffer.alloc(0);
    for (let depth = 0; depth < 99; depth++) {
      groups = Buffer.concat([Buffer.from('a306', 'hex'), groups, Buffer.from('a406', 'hex')]);
    }
    for (const before of [struct, groups]) {
      proto.codec.decode(before); // The decoder takes it.
      const bytes = Buffer.concat([before, filled(4 * MIB, sized(1))]);
      assert.throws(() => proto.codec.decodeWithin!(bytes, DEFAULT), refused());
    }
  });

  test('a map is priced by its largest index once, each map for itself', () => {
    const entry = (index: number) => sized(3, sized(1, Buffer.from(String(index))));
    const inOne = sized(12, Buffer.concat([entry(900), entry(899), entry(900)]));
    const inThree = Buffer.concat([900, 899, 900].map((index) => sized(12, entry(index))));
    assert.ok(proto.price(inOne, WHOLE) < 15_000);
    assert.ok(proto.price(inThree, WHOLE) > 30_000);
    const byId = sized(9, Buffer.from('0884071001', 'hex')); // 900: 1
    assert.ok(proto.price(Buffer.concat([byId, sized(11, byId)]), WHOLE) > 20_000);
  });

  for (const [what, field, encoded, isLarge] of [
    ['the zigzag key 900', 18, '08880e1001', true],
    ['the zigzag key -900, which is no index,', 18, '08870e1001', false],
    ['the fixed key 900', 19, '0d840300001001', true],
    ['the fixed key 1,000,000, which is no index of an array,', 19, '0d40420f001001', false],
  ] as const) {
    test(`${what} is read as it is written`, () => {
      const price = proto.price(sized(field, Buffer.from(encoded, 'hex')), WHOLE);
      assert.equal(price > 5_000, isLarge, String(price));
    });
  }

  test('keys that a peer chooses to look alike are priced as new', () => {
    const same = text.price(Buffer.from(`[${'{"a":1},'.repeat(999)}{}]`), WHOLE);
    const keys = Array.from({ length: 1_000 }, (_, i) => `{"${'x'.repeat(12)}${i}${'y'.repeat(12)}":1}`);
    assert.ok(text.price(Buffer.from(`[${keys.join()}]`), WHOLE) > same + 1_000 * 150);
  });

  test('JSON of a described message is priced as the messages that it becomes', () => {
    const codec = messageTypeOf(typeM).codecs!.json!;
    const many = (field: string, value: string) =>
      Buffer.from(`{"${field}":[${`${value},`.repeat(700_000)}${value}]}`);
    assert.throws(() => codec.decodeWithin!(many('blobPairs', '{}'), DEFAULT), refused());
    assert.throws(() => codec.decodeWithin!(many('blobs', '""'), DEFAULT), refused());
    assert.throws(
      () => codec.decodeWithin!(Buffer.from(`{"struct":{"a":[${'1,'.repeat(1_000_000)}1]}}`), DEFAULT),
      refused(),
    );
  });

  test('JSON has no price where nobody limits it', () => {
    const bytes = Buffer.from(`[${'{},'.repeat(10)}{}]`);
    const codec = json.codecFor({ name: 't.M' });
    assert.equal((codec.decode(bytes) as unknown[]).length, 11);
  });
});

describe('ordinary messages are taken by default', () => {
  test('20,000 records, in every serialization', () => {
    const records = Array.from({ length: 20_000 }, (_, i) => ({
      name: `name ${i}`,
      count: i,
      price: i / 3,
      sold: i % 2 === 0,
      note: 'and some words of a note',
    }));
    for (const { codec } of [proto, packed, text]) {
      const bytes = codec.encode({ records });
      assert.ok(bytes.length < 4 * MIB);
      assert.equal((codec.decodeWithin!(bytes, DEFAULT) as { records: unknown[] }).records.length, 20_000);
    }
  });

  test('JSON of 400,000 numbers, beside messages of any type', () => {
    const file = join(
      folderWith({
        'answer.proto': `syntax = "proto3";
          import "google/protobuf/any.proto";
          message Answer { repeated google.protobuf.Any details = 1; repeated int32 numbers = 2; }`,
      }),
      'answer.proto',
    );
    const codec = messageTypeOf(rootOfAll(readProtos([file])).lookupType('Answer')).codecs!.json!;
    const bytes = codec.encode({ numbers: Array.from({ length: 400_000 }, (_, i) => i) });
    assert.ok(bytes.length < 4 * MIB);
    assert.doesNotThrow(() => codec.decodeWithin!(bytes, DEFAULT));
    const details = Buffer.from(`{"details":[${'{},'.repeat(1_000_000)}{}]}`);
    assert.throws(() => codec.decodeWithin!(details, DEFAULT), refused());
  });

  test('any records of whole words and numbers up to 4 MiB', () => {
    const word = fc.string({ unit: 'grapheme', minLength: 5, maxLength: 40 });
    const record = fc.record({ name: word, count: fc.nat(), price: fc.double({ noNaN: true }), note: word });
    fc.assert(
      fc.property(record, (given) => {
        for (const { codec, price } of [proto, packed, text]) {
          const one = codec.encode({ records: [given] }).length;
          const ten = codec.encode({ records: Array(10).fill(given) });
          const each = price(ten, WHOLE) / ten.length;
          assert.ok(each <= 16, `${each} for each byte of ${one}`);
        }
      }),
      { numRuns: 200 },
    );
  });
});
