import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maglev } from '../../selector/balancer/maglev.js';
import { balancerContract } from '../contract/balancer.js';
import { hashingContract } from '../contract/hashing.js';
import { liveNodes, tally } from '../contract/live-nodes.js';

balancerContract('maglev', {
  create: (random) => maglev({ random }),
  share: 'random',
  weights: 'respected',
});
// Of few nodes more keys move than of many: each change of one node's turns changes those of the others.
hashingContract('maglev', () => maglev(), 0.12);

test('keys are shared as evenly as chance allows', () => {
  const nodes = liveNodes(100);
  const pick = maglev().build(nodes);
  let key = 0;
  const counts = tally(nodes, 100_000, () => pick({ hashKey: `key ${key++}` }));
  assert.ok(
    Math.max(...counts) < 1_150 && Math.min(...counts) > 850,
    `${Math.min(...counts)} to ${Math.max(...counts)}`,
  );
});

test('when one of a hundred nodes leaves, at most 1.2 of a hundred keys move', () => {
  const nodes = liveNodes(100);
  const before = maglev().build(nodes);
  const after = maglev().build(nodes.filter((_, i) => i !== 42));
  let moved = 0;
  for (let i = 0; i < 100_000; i++) if (before({ hashKey: `${i}` }) !== after({ hashKey: `${i}` })) moved++;
  assert.ok(moved <= 1_200, `${moved} of 100000`);
});
