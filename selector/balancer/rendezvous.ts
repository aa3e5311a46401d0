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
      const weights = relativeWeights(active);
      const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0);
      const slowness = Float64Array.from(weights, (weight) => heaviest / weight);
      const likely = (LIKELY * WHOLE * heaviest) / active.length;
      const anyNode = keyless.build(nodes);
      return (call) => {
        if (call.hashKey === undefined) return anyNode(call);
        const key = hash32(call.hashKey, SEED);
        let best = leastTime(hashes, slowness, key, likely);
        if (best < 0) best = leastTime(hashes, slowness, key, Number.POSITIVE_INFINITY);
        return lives[best]!;
      };
    },
  };
}

const address = ({ live }: Weighted): string => live.node.address;

/** So that a key which were a node's address is not bound to that node. */
const SEED = 0x5eed;

const WHOLE = 2 ** 32;
const LOWEST = -(2 ** 31);

/** Where the winner is sought first, in nodes: some more than the one expected there, so that 98 % of the keys find it. */
const LIKELY = 4;

/**
 * Each node has an exponentially distributed time by the key and its hash, longer the less it weighs; the least one wins.
 * @param slowness by how many times a node's is longer than that of the heaviest, 1 or more
 * @returns the index of the winner, or -1 when all are at or above `below`
 */
function leastTime(hashes: Int32Array, slowness: Float64Array, key: number, below: number): number {
  let best = -1;
  let least = below;
  let worst = worstBelow(below);
  const { length } = hashes; // V8 would read it again for each.
  for (let i = 0; i < length; i++) {
    // Most nodes are known to lose without their time: by an integer, and since it is never less than the hash's distance from the top.
    const hash = mixed(hashes[i]! ^ key);
    if (hash < worst) continue;
    const distance = fromTop(hash);
    if (distance * slowness[i]! >= least) continue;
    const time = exponential(distance / WHOLE) * WHOLE * slowness[i]!;
    if (time >= least) continue;
    best = i;
    least = time;
    worst = worstBelow(least);
  }
  return best;
}

/** Of a hash, signed: above 0, below `WHOLE`. It is its own inverse. */
const fromTop = (hash: number): number => WHOLE / 2 - 0.5 - hash;

/** The lowest hash with which even the heaviest node could be below that time. */
const worstBelow = (time: number): number => Math.max(LOWEST, fromTop(time)) | 0;

/** MurmurHash3's `fmix32` without the steps that are for its lowest bits, and for input that has not been hashed. */
function mixed(bits: number): number {
  const once = Math.imul(bits, 0x85ebca6b);
  return Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
}

/** -log(1 - share), to a millionth: by the series of artanh, as a logarithm takes as long as ten nodes. */
function exponential(share: number): number {
  if (share > 0.5) return -Math.log(1 - share);
  const z = share / (2 - share);
  const q = z * z;
  return 2 * z * (1 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q / 9))));
}
