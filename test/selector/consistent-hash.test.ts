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
