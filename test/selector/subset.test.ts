import assert from 'node:assert/strict';
import { test } from 'node:test';
import { subset } from '../../selector/balancer/subset.js';
import type { LiveNode } from '../../selector/live-node.js';
import { liveNodes } from '../contract/live-nodes.js';

const used = (nodes: readonly LiveNode[], clientId: string, size = 10): Set<LiveNode> => {
  const pick = subset({ size, clientId, balancer: 'roundRobin' }).build(nodes);
  return new Set(Array.from({ length: size * 3 }, () => pick({})));
};

test('a client uses as many nodes as it says, and the same after a start', () => {
  const nodes = liveNodes(100);
  assert.equal(used(nodes, 'a').size, 10);
  assert.deepEqual(used(nodes, 'a'), used(nodes.toReversed(), 'a'));
  assert.notDeepEqual(used(nodes, 'a'), used(nodes, 'b'));
});

test('it uses all of a small set', () => assert.equal(used(liveNodes(7), 'a').size, 7));

test('when a node leaves, one other takes its place', () => {
  const nodes = liveNodes(100);
  const before = used(nodes, 'a');
  const [gone] = before;
  const after = used(
    nodes.filter((node) => node !== gone),
    'a',
  );
  assert.equal(after.size, 10);
  assert.equal([...after].filter((node) => !before.has(node)).length, 1);
});

test('a thousand clients are spread over all nodes', () => {
  const nodes = liveNodes(100);
  const clients = new Map(nodes.map((node) => [node, 0]));
  for (let i = 0; i < 1_000; i++)
    for (const node of used(nodes, `client ${i}`)) clients.set(node, clients.get(node)! + 1);
  const counts = [...clients.values()];
  assert.ok(
    Math.min(...counts) > 60 && Math.max(...counts) < 140,
    `${Math.min(...counts)} to ${Math.max(...counts)}`,
  );
});

test('drained nodes are none of them', () => {
  const nodes = liveNodes(Array.from({ length: 40 }, (_, i) => i % 2));
  for (const node of used(nodes, 'a')) assert.equal(node.node.weight, 1);
});

test('a size out of range is refused with the value received', () => {
  assert.throws(() => subset({ size: 0 }), {
    name: 'RangeError',
    message: 'size: a whole number from 1, got 0',
  });
});
