import type { Balancer } from '../balancer.js';
import { hash32, mix32 } from '../hash.js';
import { activeNodes, relativeWeights } from '../weight.js';
import { weightedRandom } from './weighted-random.js';

export type RendezvousOptions = {
  /** A number from 0 up to but without 1; for calls without a key. @default Math.random */
  random?: () => number;
};

/**
 * Calls with the same `hashKey` to the same node: the one that the key and its address together hash highest. Keys are
 * shared exactly by weight, a node that leaves moves its own keys only, and there is no table to build. But a pick looks
 * at every node: for up to some hundred of them. A call without a key goes to a random node.
 *
 * (Thaler and Ravishankar, "A name-based mapping scheme for rendezvous", 1996; weights as in Schindelhauer and
 * Schomaker, "Weighted distributed hash tables", 2005.)
 */
export function rendezvous({ random = Math.random }: RendezvousOptions = {}): Balancer {
  const keyless = weightedRandom({ random });
  return {
    name: 'rendezvous',
    build(nodes) {
      const active = activeNodes(nodes);
      const lives = active.map(({ live }) => live);
      const weights = relativeWeights(active);
      const hashes = Int32Array.from(lives, ({ node }) => hash32(node.address));
      const areEqual = weights.every((weight) => weight === weights[0]);
      const anyNode = keyless.build(nodes);
      return (call) => {
        if (call.hashKey === undefined) return anyNode(call);
        const key = hash32(call.hashKey, SEED);
        let best = 0;
        let highest = Number.NEGATIVE_INFINITY;
        for (let i = 0; i < hashes.length; i++) {
          const bits = mix32(hashes[i]! ^ key);
          // Of equal weights the order of the (unsigned) hashes is that of the scores.
          const score = areEqual ? bits ^ SIGN : weights[i]! / -Math.log(((bits >>> 0) + 0.5) / 2 ** 32);
          if (score > highest || (score === highest && before(lives[i]!, lives[best]!))) {
            best = i;
            highest = score;
          }
        }
        return lives[best]!;
      };
    },
  };
}

/** So that a key which were a node's address is not bound to that node. */
const SEED = 0x5eed;

const SIGN = 1 << 31;

/** Whichever order the list has, every client is to find the same node. */
const before = (a: { node: { address: string } }, b: { node: { address: string } }): boolean =>
  a.node.address < b.node.address;
