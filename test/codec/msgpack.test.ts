import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { msgpack } from '../../codec/msgpack.js';
import { checkShape } from '../../codec/msgpack-shape.js';
import { Status } from '../../rpc/status.js';
import { hasCode } from '../contract/serialization.js';

const codec = msgpack.codecFor({ name: 't.M' });
const readHex = (hex: string) => codec.decode(Buffer.from(hex, 'hex'));
const writtenHex = (value: unknown) => Buffer.from(codec.encode(value)).toString('hex');

describe('msgpack', () => {
  test('writes the formats of the specification', () => {
    assert.equal(writtenHex({ compact: true, schema: 0 }), '82a7636f6d70616374c3a6736368656d6100');
    assert.equal(writtenHex([-1, 300, 1.5, 'é', null]), '95ffcd012ccb3ff8000000000000a2c3a9c0');
    assert.equal(writtenHex(Buffer.from('abc')), 'c403616263');
  });

  test('gives back any plain value, but for the sign of zero', () => {
    const double = fc.double().filter((n) => !Object.is(n, -0));
    const value = fc.anything({
      maxDepth: 4,
      withNullPrototype: false,
      key: fc.string().filter((key) => key !== '__proto__'),
      values: [fc.boolean(), double, fc.integer(), fc.maxSafeInteger(), fc.string(), fc.constant(null)],
    });
    fc.assert(fc.property(value, (given) => assert.deepEqual(codec.decode(codec.encode(given)), given)));
    assert.ok(Object.is(codec.decode(codec.encode(-0)), 0));
  });

  test('keeps numbers numbers and bigints bigints', () => {
    const given = { number: 2 ** 52, small: 5n, big: 2n ** 64n - 1n, low: -(2n ** 63n) };
    assert.deepEqual(codec.decode(codec.encode(given)), given);
    assert.equal(readHex('cf0000000000000005'), 5n);
  });

  test('refuses a bigint of more than 64 bits, which would lose its upper ones', () => {
    for (const wide of [2n ** 64n, -(2n ** 63n) - 1n]) {
      assert.throws(
        () => codec.encode({ wide }),
        hasCode(Status.INVALID_ARGUMENT, 'needs more than 64 bits'),
      );
    }
  });

  test('carries dates, leaves out undefined properties, and turns an undefined message into null', () => {
    const made = new Date(1_700_000_000_123);
    assert.deepEqual(codec.decode(codec.encode({ made, gone: undefined })), { made });
    assert.equal(codec.decode(codec.encode(undefined)), null);
  });

  test('nesting is refused beyond 64, in both directions', () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
    assert.deepEqual(codec.decode(codec.encode(nested(64))), nested(64));
    assert.throws(() => codec.encode(nested(65)), hasCode(Status.INVALID_ARGUMENT, 'Too deep'));
    assert.throws(
      () => codec.decode(Buffer.alloc(1_000_000, 0x91)),
      hasCode(Status.INTERNAL, 'nested deeper than 64'),
    );
  });

  test('refuses a length that the bytes cannot hold, before anything is made of it', () => {
    assert.throws(
      () => readHex('ddffffffff'),
      hasCode(Status.INTERNAL, '4294967295 values announced, 0 bytes left'),
    );
    assert.throws(() => readHex('dfffffffff00'), hasCode(Status.INTERNAL, 'values announced, 1 bytes left'));
    assert.throws(() => readHex('dbffffffff00'), hasCode(Status.INTERNAL, 'end inside a value'));
    assert.throws(
      () => readHex(`dd01000000${'dd00ffffff'.repeat(5)}`),
      hasCode(Status.INTERNAL, 'announced'),
    );
  });

  test('refuses extension types, the key __proto__ and bytes after the value', () => {
    assert.throws(() => readHex('d40501'), hasCode(Status.INTERNAL, 'extension type 5'));
    assert.throws(
      () => codec.decode(encode(JSON.parse('{"__proto__":1}'))),
      hasCode(Status.INTERNAL, '__proto__'),
    );
    assert.throws(() => readHex('c0c0'), hasCode(Status.INTERNAL, 'Extra'));
  });

  test('the look before decoding lets through all that the library writes', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: false, withDate: true, withTypedArray: false }), (value) => {
        let bytes: Uint8Array;
        try {
          bytes = encode(value, { maxDepth: 64 });
        } catch {
          return;
        }
        checkShape(bytes);
      }),
    );
  });
});
