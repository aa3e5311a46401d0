import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ANY_VERSION, BlockCache } from '../../../transport/h2/hpack-cache.js';

const offer = (cache: BlockCache, block: Buffer, listBytes: number, version = ANY_VERSION) => {
  if (cache.get(block, 0, block.length, version)) return;
  cache.offer(block, 0, block.length, version, ['a', 'b'], listBytes);
};

describe('the cache of header blocks', () => {
  test('stays within its memory whatever comes, and goes on taking blocks', () => {
    const cache = new BlockCache();
    for (let at = 0; at < 2_000; at++) {
      const block = Buffer.alloc(4 + (at % 2_044), at);
      block.writeUInt32BE(at);
      for (let times = 0; times < 2; times++) offer(cache, block, 3_000);
      assert.ok(cache.totalBytes <= 64 * 1024);
      assert.ok(cache.get(block, 0, block.length, 0));
    }
  });

  test('does not take what is too large, or has come once', () => {
    const cache = new BlockCache();
    for (const [blockBytes, listBytes] of [
      [2_049, 100],
      [100, 64 * 1024],
    ] as const) {
      const block = Buffer.alloc(blockBytes, 1);
      for (let times = 0; times < 3; times++) offer(cache, block, listBytes);
      assert.equal(cache.get(block, 0, block.length, 0), undefined);
    }
    const once = Buffer.from('once');
    offer(cache, once, 100);
    assert.equal(cache.get(once, 0, 4, 0), undefined);
    assert.equal(cache.totalBytes, 0);
  });

  test('answers under the version it was told, and not under another', () => {
    const cache = new BlockCache();
    const block = Buffer.from('block');
    for (let times = 0; times < 2; times++) offer(cache, block, 100, 7);
    assert.ok(cache.get(block, 0, 5, 7));
    assert.equal(cache.get(block, 0, 5, 8), undefined);
    for (let times = 0; times < 2; times++) offer(cache, block, 100, 8);
    assert.ok(cache.get(block, 0, 5, 8));
  });

  test('does not hold the memory that the block came in', () => {
    const cache = new BlockCache();
    const chunk = Buffer.from('block');
    for (let times = 0; times < 2; times++) offer(cache, chunk, 100);
    chunk.fill(0);
    assert.ok(cache.get(Buffer.from('block'), 0, 5, 0));
    assert.equal(cache.get(chunk, 0, 5, 0), undefined);
  });
});
