import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Status } from '../../rpc/status.js';
import { createNode } from '../../selector/node.js';
import { describeFilter, filterKey, matches } from '../../selector/node-filter.js';

const node = createNode({
  address: '10.0.0.1:1',
  zone: 'a',
  tags: ['blue', 'canary'],
  meta: { version: '2' },
});

test('a node has to have all that the filter says', () => {
  for (const filter of [
    {},
    { tags: ['canary', 'blue'] },
    { meta: { version: '2' } },
    { zone: 'a', tags: ['blue'] },
  ])
    assert.ok(matches(filter, node), JSON.stringify(filter));
  for (const filter of [
    { tags: ['blue', 'green'] },
    { meta: { version: '3' } },
    { meta: { toString: '' } },
    { zone: 'b' },
  ])
    assert.ok(!matches(filter, node), JSON.stringify(filter));
});

test('filters that say the same have one key', () => {
  assert.equal(
    filterKey({ tags: ['a', 'b'], meta: { x: '1', y: '2' } }),
    filterKey({ meta: { y: '2', x: '1' }, tags: ['b', 'a'] }),
  );
  assert.notEqual(filterKey({ tags: ['a'] }), filterKey({ meta: { a: '' } }));
});

test('what is no filter is refused by name', () => {
  for (const [filter, details] of [
    [{ tag: 'a' }, 'nodes: tags, meta, zone are known, got tag'],
    [{ tags: 'a' }, 'nodes: tags: an array of strings is wanted'],
    [{ meta: { version: 2 } }, 'nodes: meta: an object of strings is wanted'],
    [{ zone: 1 }, 'nodes: zone: a string is wanted'],
  ] as const) {
    assert.throws(() => filterKey(filter as never), { code: Status.INVALID_ARGUMENT, details });
  }
});

test('a filter is told in words', () => {
  assert.equal(
    describeFilter({ tags: ['a'], meta: { version: '2' }, zone: 'b' }),
    'tag a, version=2, zone b',
  );
});
