import assert from 'node:assert/strict';
import { test } from 'node:test';
import { consistentHash } from '../../selector/balancer/consistent-hash.js';
import { balancerContract } from '../contract/balancer.js';
import { hashingContract } from '../contract/hashing.js';
import { liveNodes } from '../contract/live-nodes.js';
import { seeded } from '../seeded.js';

balancerContract('consistentHash', {
  create: (random) => consistentHash({ random }),
  share: 'random',
  weights: 'respected',
});
hashingContract('consistentHash', () => consistentHash());

test('more replicas share the keys more evenly', () => {
  const spread = (replicas: number) => {
    const nodes = liveNodes(10);
    const pick = consistentHash({ replicas }).build(nodes);
    const counts = new Map(nodes.map((node) => [node, 0]));
    for (let i = 0; i < 20_000; i++) {
      const node = pick({ hashKey: `key ${i}` });
      counts.set(node, counts.get(node)! + 1);
    }
    return Math.max(...counts.values()) - Math.min(...counts.values());
  };
  assert.ok(spread(1_000) < spread(10));
});

test('a set of many heavy nodes still takes calls by weight', () => {
  const nodes = liveNodes(Array.from({ length: 2_000 }, (_, i) => (i % 2 === 0 ? 1_000 : 500)));
  const pick = consistentHash({ random: seeded(8) }).build(nodes);
  let heavy = 0;
  for (let i = 0; i < 9_000; i++) if (pick({ hashKey: `${i}` }).node.weight === 1_000) heavy++;
  assert.ok(Math.abs(heavy - 6_000) < 600, `${heavy} of 9000`);
});

test('replicas out of range are refused with the value received', () => {
  for (const replicas of [0, -1, 1.5, Number.NaN, 10_001]) {
    const message = `replicas: a whole number from 1 to 10000, got ${replicas}`;
    assert.throws(() => consistentHash({ replicas }), { name: 'RangeError', message });
  }
});

test('a node with more than its bound of the calls passes its keys on to one other, and has them back', () => {
  const nodes = liveNodes(10);
  const pick = consistentHash().build(nodes);
  const call = { hashKey: 'a hot key' };
  const owner = pick(call);
  Object.assign(owner, { inFlight: 20 });
  const other = pick(call);
  assert.notEqual(other, owner);
  assert.equal(pick(call), other);
  for (const node of nodes) if (node !== owner) Object.assign(node, { inFlight: 18 });
  for (let i = 0; i < 20; i++) pick(call);
  assert.equal(pick(call), owner);
});

test('without a bound, or with little to do, a hot key stays where it is', () => {
  const nodes = liveNodes(10);
  const call = { hashKey: 'a hot key' };
  const free = consistentHash({ bound: Infinity }).build(nodes);
  const bounded = consistentHash().build(nodes);
  const owner = free(call);
  Object.assign(owner, { inFlight: 7 });
  assert.equal(bounded(call), owner);
  Object.assign(owner, { inFlight: 1_000 });
  assert.equal(free(call), owner);
});

test('a bound of 1 or less is refused with the value received', () => {
  assert.throws(() => consistentHash({ bound: 1 }), { name: 'RangeError', message: 'bound: above 1, got 1' });
});

test('one node more or less never moves much more than its share, also when points become too many', () => {
  // 26 nodes have all their points, 27 have fewer each.
  for (const n of [20, 26, 27, 28, 40, 53]) {
    const nodes = liveNodes(n);
    const before = consistentHash({ replicas: 10_000 }).build(nodes);
    const after = consistentHash({ replicas: 10_000 }).build(nodes.slice(1));
    let moved = 0;
    for (let i = 0; i < 20_000; i++) if (before({ hashKey: `${i}` }) !== after({ hashKey: `${i}` })) moved++;
    assert.ok(moved <= (2.5 * 20_000) / n, `${moved} of 20000, with ${n} nodes`);
  }
});
