import type { Balancer } from '../balancer.js';
import { hash32 } from '../hash.js';
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
      const hashes = Int32Array.from(active, (node) => hash32(address(node)));
      const inverses = Float64Array.from(relativeWeights(active), (weight) => 1 / weight);
      const likely = (LIKELY * WHOLE) / active.length;
      const anyNode = keyless.build(nodes);
      return (call) => {
        if (call.hashKey === undefined) return anyNode(call);
        const key = hash32(call.hashKey, SEED);
        let best = leastTime(hashes, inverses, key, likely);
        if (best < 0) best = leastTime(hashes, inverses, key, Number.POSITIVE_INFINITY);
        return lives[best]!;
      };
    },
  };
}

const address = ({ live }: Weighted): string => live.node.address;

/** So that a key which were a node's address is not bound to that node. */
const SEED = 0x5eed;

const WHOLE = 2 ** 32;

/** Where the winner is sought first, in nodes: some more than the one expected there, so that 98 % of the keys find it. */
const LIKELY = 4;

/**
 * Each node has an exponentially distributed time by the key and its hash, divided by its weight; the least one wins.
 * @returns the index of the winner, or -1 when all are at or above `below`
 */
function leastTime(hashes: Int32Array, inverses: Float64Array, key: number, below: number): number {
  let best = -1;
  let least = below;
  for (let i = 0; i < hashes.length; i++) {
    const uniform = WHOLE / 2 - 0.5 - mixed(hashes[i]! ^ key);
    // The time is never less: most nodes are known to lose without it.
    if (uniform * inverses[i]! >= least) continue;
    const time = exponential(uniform / WHOLE) * WHOLE * inverses[i]!;
    if (time >= least) continue;
    best = i;
    least = time;
  }
  return best;
}

/** MurmurHash3's `fmix32` without the steps that are for its lowest bits, and for input that has not been hashed. */
function mixed(bits: number): number {
  const once = Math.imul(bits, 0x85ebca6b);
  return Math.imul(once ^ (once >>> 15), 0xc2b2ae35);
}

/** -log(1 - share), to a millionth: by the series of artanh, as a logarithm takes as long as ten nodes. */
function exponential(share: number): number {
  if (share > 0.5) return -Math.log(1 - share);
  const z = share / (2 - share);
  const q = z * z;
  return 2 * z * (1 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q / 9))));
}
