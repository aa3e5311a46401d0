import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Metadata, type MetadataInit } from '../../rpc/metadata.js';

const bytes = new Uint8Array([0, 1, 255]);

describe('metadata that a user sets', () => {
  test('keys are lower-case and found in any case', () => {
    const metadata = Metadata.from({ 'Request-ID': 'a1' });
    assert.deepEqual([...metadata], [['request-id', 'a1']]);
    assert.equal(metadata.get('REQUEST-id'), 'a1');
    assert.ok(metadata.has('Request-Id'));
    metadata.delete('REQUEST-ID');
    assert.equal(metadata.size, 0);
  });

  test('a key holds several values, and set replaces them all', () => {
    const metadata = Metadata.from({ tag: ['a', 'b'] }).add('tag', 'c');
    assert.deepEqual(metadata.getAll('tag'), ['a', 'b', 'c']);
    assert.equal(metadata.get('tag'), 'a');
    assert.deepEqual(metadata.set('tag', 'd').getAll('tag'), ['d']);
    assert.deepEqual(metadata.getAll('none'), []);
  });

  test('a key ending in -bin holds bytes and no other does', () => {
    const metadata = new Metadata().set('trace-bin', bytes);
    assert.deepEqual(metadata.getBinary('trace-bin'), bytes);
    assert.equal(metadata.get('trace-bin'), undefined);
    assert.equal(new Metadata().set('a', 'b').getBinary('a'), undefined);
    assert.throws(() => metadata.set('trace-bin', 'text'), /TypeError.*"trace-bin".*bytes/s);
    assert.throws(() => metadata.set('trace', bytes), /"trace".*text/);
    for (const value of [1, null, undefined, {}, Symbol('s')])
      assert.throws(() => metadata.set('a', value as never), TypeError);
  });

  for (const key of [
    ':path',
    ':authority',
    'grpc-timeout',
    'GRPC-Status',
    'grpc-encoding',
    'content-type',
    'Content-Length',
    'Connection',
    'keep-alive',
    'proxy-connection',
    'upgrade',
    'http2-settings',
    'te',
    'host',
    'transfer-encoding',
    'user-agent',
    '__proto__',
  ]) {
    test(`the key ${key} belongs to the protocol and is refused`, () => {
      assert.throws(
        () => new Metadata().set(key, 'x'),
        (error) => error instanceof TypeError && error.message.includes(JSON.stringify(key)),
      );
      assert.throws(() => new Metadata().add(key, 'x'), TypeError);
      const init: MetadataInit = Object.defineProperty({}, key, { value: 'x', enumerable: true });
      assert.throws(() => Metadata.from(init), TypeError);
    });
  }

  test('keys with other characters, empty or too long, are refused', () => {
    for (const key of ['', ' ', 'a b', 'a\r\nb', 'a\0', 'ä', 'a:b', 'a/b', 'K'.repeat(129), 'ſ'])
      assert.throws(() => new Metadata().set(key, 'x'), TypeError, JSON.stringify(key));
    assert.equal(new Metadata().set('k'.repeat(128), 'x').size, 1);
  });

  test('values that are not printable ASCII are refused', () => {
    for (const value of ['a\r\nb: c', '\0', '\t', '\x7f', 'ü', '😀'])
      assert.throws(() => new Metadata().set('a', value), /printable ASCII/, JSON.stringify(value));
    assert.equal(new Metadata().set('a', '').get('a'), '');
  });

  test('a refused value is shown cut off', () => {
    assert.throws(
      () => new Metadata().set('a', 'ü'.repeat(10_000)),
      (error: Error) => error.message.length < 200,
    );
  });

  test('names of Object.prototype are plain keys', () => {
    const metadata = new Metadata();
    for (const key of ['constructor', 'tostring', 'hasownproperty']) {
      assert.equal(metadata.has(key), false);
      assert.equal(metadata.get(key), undefined);
      assert.equal(metadata.set(key, 'x').get(key), 'x');
    }
    const plain = metadata.toJSON();
    assert.deepEqual(plain.constructor, ['x']);
    assert.deepEqual({ ...new Metadata().toJSON() }, {});
  });

  test('a clone is independent, and metadata merged with itself doubles', () => {
    const one = Metadata.from({ a: '1' });
    const clone = one.clone().add('a', '2');
    assert.deepEqual(one.getAll('a'), ['1']);
    assert.deepEqual(one.merge(clone).getAll('a'), ['1', '1', '2']);
    assert.deepEqual(clone.merge(clone).getAll('a'), ['1', '2', '1', '2']);
  });

  test('the size counts key, value and 32 bytes for each pair', () => {
    assert.equal(new Metadata().sizeBytes, 0);
    assert.equal(Metadata.from({ a: 'bc' }).sizeBytes, 35);
    assert.equal(Metadata.from({ a: ['bc', ''], 'd-bin': bytes }).sizeBytes, 35 + 33 + 40);
  });

  test('whatever fits the rules comes out as it went in', () => {
    const key = fc.stringMatching(/^[0-9a-z_.]{1,20}$/).filter((key) => key !== '__proto__' && key !== 'te');
    const reserved = new Set(['connection', 'host', 'upgrade']);
    const text = fc.stringMatching(/^[\x20-\x7e]{0,30}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(key, text)), (pairs) => {
        const metadata = new Metadata();
        const wanted = pairs.filter(([key]) => !reserved.has(key));
        for (const [key, value] of wanted) metadata.add(key, value);
        assert.equal(metadata.size, wanted.length);
        for (const [key] of wanted)
          assert.deepEqual(
            metadata.getAll(key),
            wanted.filter(([other]) => other === key).map(([, value]) => value),
          );
      }),
    );
  });
});

describe('metadata that a peer sends', () => {
  test('what does not fit is left out, and nothing throws', () => {
    const metadata = new Metadata();
    for (const key of [':path', 'grpc-timeout', 'content-type', 'A', '', 'a b', '__proto__'])
      metadata.addReceived(key, 'x');
    metadata.addReceived('text', bytes);
    metadata.addReceived('bytes-bin', 'text');
    assert.deepEqual([...metadata], []);
  });

  test('values may hold what users may not send', () => {
    const metadata = new Metadata();
    metadata.addReceived('a', 'caf\u00e9\t');
    metadata.addReceived('b-bin', bytes);
    assert.equal(metadata.get('a'), 'caf\u00e9\t');
    assert.deepEqual(metadata.getBinary('b-bin'), bytes);
  });

  test('the details of an error, which gRPC keeps under a key of its own, are the application’s', () => {
    const metadata = new Metadata().set('grpc-status-details-bin', new Uint8Array([8, 5]));
    metadata.addReceived('grpc-status-details-bin', new Uint8Array([1]));
    assert.equal(metadata.getAll('grpc-status-details-bin').length, 2);
  });
});
