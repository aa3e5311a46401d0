import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { leastRequest } from '../../selector/balancer/least-request.js';
import { p2c } from '../../selector/balancer/p2c.js';
import { p2cEwma } from '../../selector/balancer/p2c-ewma.js';
import type { LiveNode } from '../../selector/live-node.js';
import { balancerContract } from '../contract/balancer.js';
import { liveNodes, tally } from '../contract/live-nodes.js';
import { seeded } from '../seeded.js';

balancerContract('p2c', { create: (random) => p2c({ random }), share: 'random', weights: 'respected' });
balancerContract('p2cEwma', {
  create: (random) => p2cEwma({ random }),
  share: 'random',
  weights: 'respected',
});
balancerContract('leastRequest', {
  create: (random) => leastRequest({ random }),
  share: 'random',
  weights: 'respected',
});

const set = (node: LiveNode, load: Partial<LiveNode>) => Object.assign(node, load);

describe('of two nodes', () => {
  test('the one with fewer calls in flight is picked', () => {
    for (const balancer of [p2c({ random: seeded(1) }), p2cEwma({ random: seeded(1) }), leastRequest()]) {
      const nodes = liveNodes(2);
      set(nodes[0]!, { inFlight: 3 });
      const pick = balancer.build(nodes);
      for (let i = 0; i < 20; i++) assert.equal(pick({}, 0), nodes[1], balancer.name);
      set(nodes[1]!, { inFlight: 4 });
      for (let i = 0; i < 20; i++) assert.equal(pick({}, 0), nodes[0], balancer.name);
    }
  });

  test('the one with fewer calls per weight is picked', () => {
    for (const balancer of [p2c({ random: seeded(2) }), p2cEwma({ random: seeded(2) }), leastRequest()]) {
      const nodes = liveNodes([1, 4]);
      set(nodes[0]!, { inFlight: 2 });
      set(nodes[1]!, { inFlight: 6 });
      const pick = balancer.build(nodes);
      for (let i = 0; i < 20; i++) assert.equal(pick({}, 0), nodes[1], balancer.name);
    }
  });

  test('p2cEwma picks the faster one, and the slow one again when its figure is old', () => {
    const nodes = liveNodes(2);
    set(nodes[0]!, { latencyMs: 100, latencyAt: 1_000 });
    set(nodes[1]!, { latencyMs: 10, latencyAt: 1_000 });
    const pick = p2cEwma({ random: seeded(3) }).build(nodes);
    for (let i = 0; i < 20; i++) assert.equal(pick({}, 1_000), nodes[1]);
    set(nodes[1]!, { latencyAt: 31_000 });
    for (let i = 0; i < 20; i++) assert.equal(pick({}, 31_000), nodes[0]);
  });
});

test('a loaded node of many gets fewer calls than by chance', () => {
  for (const balancer of [p2c({ random: seeded(4) }), leastRequest({ random: seeded(4) })]) {
    const nodes = liveNodes(20);
    set(nodes[0]!, { inFlight: 1 });
    const pick = balancer.build(nodes);
    const [first] = tally(nodes, 20_000, () => pick({}, 0));
    assert.ok(first! < 200, `${balancer.name}: ${first}, by chance 1000`);
  }
});

test('choices out of range are refused with the value received', () => {
  for (const choices of [0, 1.5, 101])
    assert.throws(() => leastRequest({ choices }), {
      name: 'RangeError',
      message: `choices: a whole number from 1 to 100, got ${choices}`,
    });
});
