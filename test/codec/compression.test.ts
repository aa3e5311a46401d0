import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { acceptEncoding, compressionNamed } from '../../codec/compression.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { hasCode } from '../contract/serialization.js';

const MAX = 4 * 1024 * 1024;
const MIB = 1024 * 1024;
const gzip = compressionNamed('gzip');

describe('compression', () => {
  for (const name of ['identity', 'gzip']) {
    test(`${name} gives back what was compressed`, () => {
      const { compress, decompress } = compressionNamed(name);
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 5_000 }), (bytes) => {
          const compressed = compress(bytes);
          assert.ok(compressed);
          assert.deepEqual(Uint8Array.from(decompress(compressed, MAX)), bytes);
        }),
      );
    });
  }

  test('an unknown name is refused with the known ones', () => {
    assert.throws(
      () => compressionNamed('brotli'),
      hasCode(Status.UNIMPLEMENTED, '"brotli" is not known; there are: identity, gzip'),
    );
    assert.equal(acceptEncoding, 'identity,gzip');
  });

  test('a message that inflates to just the limit is taken, one byte more is not', () => {
    const bytes = randomBytes(100_000);
    assert.equal(gzip.decompress(gzipSync(bytes), 100_000).length, 100_000);
    assert.throws(
      () => gzip.decompress(gzipSync(bytes), 99_999),
      hasCode(Status.RESOURCE_EXHAUSTED, 'more than 99999'),
    );
  });

  test('a bomb is refused at a hundred times its size, well before the limit', () => {
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024), { level: 9 });
    const cap = bomb.length * 100;
    const wanted = `${bomb.length} compressed bytes inflates to more than ${cap} (100 times its size)`;
    assert.throws(() => gzip.decompress(bomb, 100 * 1024 * 1024), hasCode(Status.RESOURCE_EXHAUSTED, wanted));
  });

  test('up to 1 MiB any ratio is taken', () => {
    assert.equal(gzip.decompress(gzipSync(Buffer.alloc(MIB)), MAX).length, MIB);
    assert.throws(
      () => gzip.decompress(gzipSync(Buffer.alloc(MIB + 1)), MAX),
      hasCode(Status.RESOURCE_EXHAUSTED),
    );
  });

  test('what would be refused for its ratio is left as it is, and nothing else', () => {
    assert.equal(gzip.compress(Buffer.alloc(3 * MIB, ' ')), undefined);
    for (const bytes of [Buffer.alloc(MIB, ' '), Buffer.concat([Buffer.alloc(2 * MIB), randomBytes(MIB)])]) {
      const compressed = gzip.compress(bytes);
      assert.ok(compressed);
      assert.equal(gzip.decompress(compressed, MAX).length, bytes.length);
    }
  });

  test('what is not gzip, or cut off, is malformed', () => {
    assert.throws(
      () => gzip.decompress(Buffer.from('hello'), MAX),
      hasCode(Status.INTERNAL, 'malformed gzip'),
    );
    assert.throws(
      () => gzip.decompress(gzipSync('hello').subarray(0, 15), MAX),
      hasCode(Status.INTERNAL, 'malformed gzip'),
    );
    assert.throws(() => gzip.decompress(new Uint8Array(), MAX), hasCode(Status.INTERNAL, 'malformed gzip'));
  });

  test('any bytes are answered with bytes or an RpcError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (tail) => {
        try {
          gzip.decompress(Buffer.concat([Buffer.from('1f8b0800', 'hex'), tail]), MAX);
        } catch (error) {
          assert.ok(error instanceof RpcError);
        }
      }),
    );
  });

  test('identity refuses what is over the limit, with both numbers', () => {
    const { decompress } = compressionNamed('identity');
    assert.throws(
      () => decompress(Buffer.alloc(11), 10),
      hasCode(Status.RESOURCE_EXHAUSTED, '11 bytes, at most 10'),
    );
  });
});
