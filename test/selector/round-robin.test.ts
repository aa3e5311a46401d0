import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { roundRobin } from '../../selector/balancer/round-robin.js';
import { balancerContract } from '../contract/balancer.js';
import { liveNodes } from '../contract/live-nodes.js';
import { seeded } from '../seeded.js';

balancerContract('roundRobin', {
  create: (random) => roundRobin({ random }),
  share: { apart: 1 },
  weights: 'ignored',
});

test('any n calls in a row go to all n nodes', () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 20 }),
    fc.nat(50),
    fc.integer(),
    (count, skip, seed) => {
      const nodes = liveNodes(count);
      const pick = roundRobin({ random: seeded(seed) }).build(nodes);
      for (let i = 0; i < skip; i++) pick({});
      assert.equal(new Set(nodes.map(() => pick({}))).size, count);
    },
  );
  fc.assert(property, { seed: 5 });
});

test('a rebuild of the same set goes on where the round was', () => {
  const nodes = liveNodes(5);
  const balancer = roundRobin({ random: seeded(6) });
  const seen = new Set(nodes.map(() => balancer.build(nodes)({})));
  assert.equal(seen.size, 5);
});

test('a stream of new nodes does not hold back the one that waits longest', () => {
  const random = seeded(7);
  const balancer = roundRobin({ random });
  const [waiting, ...others] = liveNodes(4);
  let pick = balancer.build([waiting!, ...others]);
  while (pick({}) !== waiting);
  for (const node of others) assert.ok(others.includes(pick({})), node.node.address);
  pick = balancer.build([...liveNodes(100), waiting!]);
  assert.equal(pick({}), waiting);
});
