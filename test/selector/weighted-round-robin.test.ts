import assert from 'node:assert/strict';
import { test } from 'node:test';
import { weightedRoundRobin } from '../../selector/balancer/weighted-round-robin.js';
import type { LiveNode } from '../../selector/live-node.js';
import { balancerContract } from '../contract/balancer.js';
import { liveNodes, tally } from '../contract/live-nodes.js';

balancerContract('weightedRoundRobin', {
  create: (random) => weightedRoundRobin({ random }),
  share: { apart: 2 },
  weights: 'respected',
});

// 0.5 is the random number with which a node starts with nothing owed.
const fromZero = () => weightedRoundRobin({ random: () => 0.5 });

test("weights 5, 1, 1 give nginx's own example: a a b a c a a", () => {
  const nodes = liveNodes([5, 1, 1]);
  const pick = fromZero().build(nodes);
  const letters = Array.from({ length: 14 }, () => 'abc'[nodes.indexOf(pick({}))]).join(' ');
  assert.equal(letters, 'a a b a c a a a a b a c a a');
});

test('a rebuild at every call changes nothing in the order', () => {
  const nodes = liveNodes([5, 1, 1]);
  const balancer = fromZero();
  const letters = Array.from({ length: 7 }, () => 'abc'[nodes.indexOf(balancer.build(nodes)({}))]).join(' ');
  assert.equal(letters, 'a a b a c a a');
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

test('calls owed under large weights are not owed a thousandfold under small ones', () => {
  const heavy = liveNodes([1_000, 1_000]);
  const balancer = fromZero();
  balancer.build(heavy)({});
  for (const live of heavy) {
    Object.assign(live, { node: { ...live.node, weight: 1 } } satisfies Partial<LiveNode>);
  }
  const pick = balancer.build(heavy);
  assert.deepEqual(
    tally(heavy, 11, () => pick({})),
    [5, 6],
  );
});
