import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maglev } from '../../selector/balancer/maglev.js';
import { balancerContract } from '../contract/balancer.js';
import { hashingContract } from '../contract/hashing.js';
import { liveNodes, tally } from '../contract/live-nodes.js';

balancerContract('maglev', {
  // The contract makes hundreds of tables, and the smaller ones in a tenth of the time.
  create: (random) => maglev({ random, entries: 65_537 }),
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

test('when one of n nodes leaves, at most 1.2/n of the keys move, for each n up to a hundred', () => {
  for (const n of [2, 3, 16, 17, 64, 65, 100]) {
    const nodes = liveNodes(n);
    const before = maglev().build(nodes);
    const after = maglev().build(nodes.slice(1));
    let moved = 0;
    for (let i = 0; i < 100_000; i++) if (before({ hashKey: `${i}` }) !== after({ hashKey: `${i}` })) moved++;
    assert.ok(moved <= 120_000 / n, `${moved} of 100000, with ${n} nodes`);
  }
});

test('a small table is filled sooner, and no other sizes are taken', () => {
  const nodes = liveNodes(20);
  const pick = maglev({ entries: 65_537 }).build(nodes);
  let key = 0;
  const counts = tally(nodes, 20_000, () => pick({ hashKey: `key ${key++}` }));
  assert.ok(Math.min(...counts) > 800, `${Math.min(...counts)}`);
  // @ts-expect-error A number that is no prime.
  assert.throws(() => maglev({ entries: 65_536 }), /^RangeError: entries: 65537 or 655373, got 65536$/);
});
