import type { Balancer } from '../balancer.js';
import { hash32, mix32 } from '../hash.js';
import { activeNodes, relativeWeights, type Weighted } from '../weight.js';
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
      // In the order of addresses, so that of two alike every client finds the same, whichever order its list has.
      const active = activeNodes(nodes).toSorted((a, b) => (address(a) < address(b) ? -1 : 1));
      const lives = active.map(({ live }) => live);
      const weights = Float64Array.from(relativeWeights(active));
      const hashes = Int32Array.from(active, (node) => hash32(address(node)));
      const areEqual = weights.every((weight) => weight === weights[0]);
      const anyNode = keyless.build(nodes);
      return (call) => {
        if (call.hashKey === undefined) return anyNode(call);
        const key = hash32(call.hashKey, SEED);
        return lives[areEqual ? highestHash(hashes, key) : highestScore(hashes, weights, key)]!;
      };
    },
  };
}

const address = ({ live }: Weighted): string => live.node.address;

/** So that a key which were a node's address is not bound to that node. */
const SEED = 0x5eed;

const SIGN = 1 << 31;

/** What is that close is compared exactly. */
const ROUNDING = 1 - 1e-9;

/** Of equal weights the order of the (unsigned) hashes is that of the scores. */
function highestHash(hashes: Int32Array, key: number): number {
  let best = 0;
  let highest = SIGN;
  for (let i = 0; i < hashes.length; i++) {
    const hash = mix32(hashes[i]! ^ key) ^ SIGN;
    if (hash <= highest) continue;
    best = i;
    highest = hash;
  }
  return best;
}

function highestScore(hashes: Int32Array, weights: Float64Array, key: number): number {
  let best = 0;
  let highest = 0;
  for (let i = 0; i < hashes.length; i++) {
    const share = ((mix32(hashes[i]! ^ key) >>> 0) + 0.5) / 2 ** 32;
    // -log(share) is never less than 1 - share: most nodes are known to lose without a logarithm.
    if (weights[i]! < highest * (1 - share) * ROUNDING) continue;
    const score = weights[i]! / -Math.log(share);
    if (score <= highest) continue;
    best = i;
    highest = score;
  }
  return best;
}
