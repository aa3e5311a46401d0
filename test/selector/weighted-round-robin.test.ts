import assert from 'node:assert/strict';
import { test } from 'node:test';
import { weightedRoundRobin } from '../../selector/balancer/weighted-round-robin.js';
import type { LiveNode } from '../../selector/live-node.js';
import { balancerContract } from '../contract/balancer.js';
import { liveNodes, tally } from '../contract/live-nodes.js';
import { seeded } from '../seeded.js';

balancerContract('weightedRoundRobin', {
  create: (random) => weightedRoundRobin({ random }),
  share: { apart: 3 },
  weights: 'respected',
});

// 0.5 is the random number with which a node is due in the middle of its round.
const fromZero = () => weightedRoundRobin({ random: () => 0.5 });
const letters = (nodes: readonly LiveNode[], picks: number, next: () => LiveNode) =>
  Array.from({ length: picks }, () => 'abc'[nodes.indexOf(next())]).join(' ');

test('a heavy node has its calls between those of the others, not in one run', () => {
  const nodes = liveNodes([5, 1, 1]);
  const pick = fromZero().build(nodes);
  const order = letters(nodes, 70, () => pick({}));
  assert.match(order, /^a a a ([bc] [bc] a a a a (a (a )?)?)+[bc] [bc] a a$/);
});

test('a rebuild at every call changes nothing in the shares', () => {
  const nodes = liveNodes([5, 1, 1]);
  const balancer = fromZero();
  const counts = tally(nodes, 70, () => balancer.build(nodes)({}));
  assert.deepEqual(counts, [50, 10, 10]);
});

test('a new weight counts from the next rebuild', () => {
  const nodes = liveNodes([1, 1]);
  const balancer = fromZero();
  const before = balancer.build(nodes);
  tally(nodes, 100, () => before({}));
  Object.assign(nodes[0]!, { node: { ...nodes[0]!.node, weight: 3 } } satisfies Partial<LiveNode>);
  const after = balancer.build(nodes);
  assert.deepEqual(
    tally(nodes, 400, () => after({})),
    [300, 100],
  );
});

test('of equal weights any n calls in a row go to all n nodes', () => {
  const nodes = liveNodes(7);
  const pick = weightedRoundRobin({ random: seeded(3) }).build(nodes);
  for (let round = 0; round < 5; round++) assert.equal(new Set(nodes.map(() => pick({}))).size, 7);
});

test('a node that comes back after a long time has no calls to catch up', () => {
  const nodes = liveNodes(3);
  const balancer = fromZero();
  balancer.build(nodes);
  const without = balancer.build(nodes.slice(1));
  for (let i = 0; i < 1_000; i++) without({});
  const pick = balancer.build(nodes);
  for (const calls of tally(nodes, 300, () => pick({}))) assert.ok(Math.abs(calls - 100) <= 1, `${calls}`);
});
