import type { Balancer } from '../balancer.js';
import { hash32, mix32 } from '../hash.js';
import type { LiveNode } from '../live-node.js';
import { MAX_WEIGHT } from '../node.js';
import { activeNodes, type Weighted } from '../weight.js';

export type ConsistentHashOptions = {
  /**
   * Points on the ring for a weight of 1, from 1 to 10,000. More of them share the keys more evenly: the shares of
   * equal nodes differ by about 1/sqrt(replicas). Take fewer when weights are large: 2 for weights around 100.
   * @default 160, as in ketama
   */
  replicas?: number;
  /** A number from 0 up to but without 1; for calls without a key. @default Math.random */
  random?: () => number;
};

/** Points sorted by place, and for each the node that it belongs to. */
type Ring = { readonly places: Int32Array; readonly owners: readonly LiveNode[] };

/** More take longer to build than a process should stand still for: these take about 25 ms. */
const MAX_POINTS = 2 ** 18;

/** What is left of 53 bits beside a place of 32. */
const MAX_NODES = 2 ** 21;

/**
 * Calls with the same `hashKey` to the same node, for as long as it is there; a call without one to a random node.
 * Nodes take keys in proportion to their weights, and a node of weight 0 is drained.
 *
 * Every client finds the same node, whatever the order of its list: a node's points on the ring follow from its address
 * and weight alone, so that a node that leaves gives up its own keys and moves no other. (Karger and others,
 * "Consistent hashing and random trees", 1997.) Only a set whose weights add up to more than 262,144 / replicas is
 * coarsened, by dividing all weights by a power of two.
 *
 * @throws RangeError for `replicas` out of range
 */
export function consistentHash({
  replicas = 160,
  random = Math.random,
}: ConsistentHashOptions = {}): Balancer {
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > 10_000) {
    throw new RangeError(`replicas: a whole number from 1 to 10000, got ${replicas}`);
  }
  return {
    name: 'consistentHash',
    build(nodes) {
      const { places, owners } = buildRing(activeNodes(nodes), replicas);
      return ({ hashKey }) => {
        // A random point, not a random node: that respects the weights.
        if (hashKey === undefined) return owners[Math.floor(random() * owners.length)]!;
        const first = firstFrom(places, hash32(hashKey));
        return owners[first === places.length ? 0 : first]!;
      };
    },
  };
}

function buildRing(nodes: readonly Weighted[], replicas: number): Ring {
  const perWeight = pointsPerWeight(nodes, replicas);
  // In the order of addresses, so that of two nodes with a point at one place every client takes the same.
  const sorted = nodes.toSorted((a, b) => compare(a.live.node.address, b.live.node.address));
  const counts = sorted.map(({ weight }) => Math.ceil(weight * perWeight));
  // Place and index in one number of at most 53 bits: typed arrays sort numbers without a callback.
  const keys = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
  let at = 0;
  sorted.forEach(({ live }, index) => {
    const start = hash32(live.node.address);
    const step = hash32(live.node.address, 1) | 1;
    for (let i = 0; i < counts[index]!; i++) {
      keys[at++] = mix32(start + Math.imul(i, step)) * MAX_NODES + index;
    }
  });
  keys.sort();
  const places = new Int32Array(keys.length);
  const owners = new Array<LiveNode>(keys.length);
  for (let i = 0; i < keys.length; i++) {
    places[i] = Math.floor(keys[i]! / MAX_NODES);
    owners[i] = sorted[keys[i]! - places[i]! * MAX_NODES]!.live;
  }
  return { places, owners };
}

// By code unit: localeCompare differs between machines.
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function pointsPerWeight(nodes: readonly Weighted[], replicas: number): number {
  let points = 0;
  for (const { weight } of nodes) points += weight * replicas;
  let perWeight = replicas;
  // Each node keeps a point, however light it is.
  for (; points > MAX_POINTS && perWeight * MAX_WEIGHT > 1; points /= 2) perWeight /= 2;
  return perWeight;
}

/** The index of the first place that is not before `hash`; the length when all are. */
function firstFrom(places: Int32Array, hash: number): number {
  let from = 0;
  let to = places.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (places[middle]! < hash) from = middle + 1;
    else to = middle;
  }
  return from;
}
