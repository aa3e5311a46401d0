import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rendezvous } from '../../selector/balancer/rendezvous.js';
import { hash32 } from '../../selector/hash.js';
import { balancerContract } from '../contract/balancer.js';
import { hashingContract } from '../contract/hashing.js';
import { liveNodes } from '../contract/live-nodes.js';

balancerContract('rendezvous', {
  create: (random) => rendezvous({ random }),
  share: 'random',
  weights: 'respected',
});
hashingContract('rendezvous', () => rendezvous());

const SEED = 0x5eed;
/** The two multiplications of MurmurHash3's finalizer, from 0 up to 1. */
function uniform(address: string, key: string): number {
  const once = Math.imul(hash32(address) ^ hash32(key, SEED), 0x85ebca6b);
  const hash = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return (hash + 2 ** 31 + 0.5) / 2 ** 32;
}

test('the winner is the node of the least -log(uniform) / weight, whatever is left out on the way to it', () => {
  const weight = fc.oneof(fc.integer({ min: 1, max: 3 }), fc.double({ min: 0.001, max: 1_000, noNaN: true }));
  fc.assert(
    fc.property(fc.array(weight, { minLength: 1, maxLength: 200 }), fc.string(), (weights, hashKey) => {
      const nodes = liveNodes(weights);
      const times = nodes.map(({ node }, i) => -Math.log(uniform(node.address, hashKey)) / weights[i]!);
      const time = times[nodes.indexOf(rendezvous().build(nodes)({ hashKey }, 0))]!;
      // Times that are alike to a millionth may change places.
      assert.ok(time <= Math.min(...times) * (1 + 4e-6));
    }),
    { numRuns: 1_000 },
  );
});
