import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { json } from '../../codec/json.js';
import { Status } from '../../rpc/status.js';
import { hasCode } from '../contract/serialization.js';

const codec = json.codecFor({ name: 't.M' });
const read = (text: string) => codec.decode(Buffer.from(text));
const write = (value: unknown) => Buffer.from(codec.encode(value)).toString();
const nested = (depth: number) => `${'['.repeat(depth)}1${']'.repeat(depth)}`;

describe('json', () => {
  test('writes what JSON.stringify writes and reads it again', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        assert.equal(write(value), JSON.stringify(value));
        assert.deepEqual(read(JSON.stringify(value)), JSON.parse(JSON.stringify(value), poisonless));
      }),
    );
  });

  test('an undefined message arrives as null', () => {
    assert.equal(write(undefined), 'null');
    assert.equal(read('null'), null);
  });

  test('a bigint is refused, not rounded, and the error says where it is', () => {
    assert.throws(
      () => write({ user: { ids: [1, 2n] } }),
      hasCode(Status.INVALID_ARGUMENT, 't.M: message.user.ids.1 is a bigint'),
    );
    assert.throws(() => write(5n), hasCode(Status.INVALID_ARGUMENT, 't.M: message is a bigint'));
  });

  test('a function is refused', () => {
    assert.throws(() => write(() => 1), hasCode(Status.INVALID_ARGUMENT, 'a function has no JSON'));
  });

  test('nesting is refused beyond 64, in both directions', () => {
    assert.deepEqual(read(nested(64)), JSON.parse(nested(64)));
    assert.throws(() => read(nested(65)), hasCode(Status.INTERNAL, 'nested deeper than 64'));
    assert.throws(() => read('['.repeat(1_000_000)), hasCode(Status.INTERNAL, 'nested deeper than 64'));
    assert.equal(write(JSON.parse(nested(64))), nested(64));
    assert.throws(
      () => write(JSON.parse(nested(65))),
      hasCode(Status.INVALID_ARGUMENT, 'nested deeper than 64'),
    );
  });

  test('brackets and quotes in strings are no nesting', () => {
    const text = `"\\\\\\"${'[{'.repeat(100)}"`;
    assert.equal(read(text), JSON.parse(text));
  });

  test('poisoned keys are dropped, however they are spelt and nested', () => {
    for (const key of ['__proto__', '\\u005f_proto__', '__\\u0070roto__']) {
      assert.deepEqual(read(`{"a":{"${key}":{"polluted":1},"b":2}}`), { a: { b: 2 } });
    }
    assert.deepEqual(read('{"constructor":{"prototype":{"polluted":1}},"b":2}'), { b: 2 });
    assert.deepEqual(read('{"constructor":"Brown & Sons","prototype":1}'), {
      constructor: 'Brown & Sons',
      prototype: 1,
    });
  });

  test('text that is not UTF-8 is refused', () => {
    assert.throws(
      () => codec.decode(Buffer.from('22ff22', 'hex')),
      hasCode(Status.INTERNAL, 't.M: malformed json'),
    );
  });

  test('of equal keys the last one counts', () => {
    assert.deepEqual(read('{"a":1,"a":2}'), { a: 2 });
  });
});

const poisonless = (key: string, value: unknown) => (key === '__proto__' ? undefined : value);
