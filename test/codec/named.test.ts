import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { json } from '../../codec/json.js';
import { serializationNamed, serializationOfSubtype } from '../../codec/named.js';
import { protobuf } from '../../codec/protobuf.js';
import type { Serialization } from '../../codec/serialization.js';
import { Status } from '../../rpc/status.js';
import { hasCode } from '../contract/serialization.js';

const cbor: Serialization = {
  name: 'cbor',
  subtype: 'cbor-1',
  codecFor: () => json.codecFor({ name: 'any' }),
};

describe('serializations by name', () => {
  test('a known name gives its serialization, a value gives itself', () => {
    for (const name of ['protobuf', 'json', 'msgpack']) assert.equal(serializationNamed(name).name, name);
    assert.equal(serializationNamed(cbor), cbor);
  });

  test('a custom one is found by its name and comes before a built-in one', () => {
    assert.equal(serializationNamed('cbor', [cbor]), cbor);
    const own = { ...cbor, name: 'json' };
    assert.equal(serializationNamed('json', [own]), own);
  });

  test('an unknown name is refused with the known ones, the custom ones included', () => {
    assert.throws(
      () => serializationNamed('toString', [cbor]),
      hasCode(Status.INVALID_ARGUMENT, '"toString" is not known; there are: cbor, protobuf, json, msgpack'),
    );
  });

  test('a content subtype finds its serialization, and none means protobuf', () => {
    assert.equal(serializationOfSubtype('proto'), protobuf);
    assert.equal(serializationOfSubtype(''), protobuf);
    assert.equal(serializationOfSubtype('json'), json);
    assert.equal(serializationOfSubtype('cbor-1', [cbor]), cbor);
    assert.throws(
      () => serializationOfSubtype('thrift'),
      hasCode(Status.UNIMPLEMENTED, '"thrift" is not known; there are: proto, json, msgpack'),
    );
  });

  test('protobuf refuses a type that was defined without a .proto', () => {
    assert.throws(
      () => protobuf.codecFor({ name: 'shop.Item' }),
      hasCode(
        Status.UNIMPLEMENTED,
        'shop.Item: protobuf cannot write it, since it was defined without a .proto; use json or msgpack',
      ),
    );
  });
});
