import type { Balancer } from '../balancer.js';
import { hash32, mix32 } from '../hash.js';
import type { LiveNode } from '../live-node.js';
import { activeNodes, relativeWeights, type Weighted } from '../weight.js';

export type ConsistentHashOptions = {
  /**
   * Points on the ring for a weight of 1, from 1 to 10,000. More of them share the keys more evenly: the shares of
   * equal nodes differ by about 1/sqrt(replicas). Take fewer when weights are large: 2 for weights around 100.
   * @default 160, as in ketama
   */
  replicas?: number;
  /**
   * Bounded load: a node that has this many times its share of all calls in flight has no more, and its keys go on to
   * the next on the ring meanwhile. Above 1; Infinity for no bound. A node with fewer than 8 calls has no bound, so that
   * keys stay where they are while there is little to do. @default 1.25
   */
  bound?: number;
  /** A number from 0 up to but without 1; for calls without a key. @default Math.random */
  random?: () => number;
};

/**
 * Points sorted by place, and for each the index of the node that it belongs to. The ring has as many parts as points,
 * or up to twice as many, and `starts` says which point is the first of each: so that the point wanted is one of the
 * next two or so.
 */
type Ring = {
  readonly places: Int32Array;
  readonly owners: Int32Array;
  readonly starts: Int32Array;
  readonly nodes: readonly Weighted[];
};

const UNBOUND = 8;

/** More take longer to build than a process should stand still for: these take about 10 ms. */
const MAX_POINTS = 2 ** 18;

/**
 * Calls with the same `hashKey` to the same node, for as long as it is there; a call without one to a random node.
 * Nodes take keys in proportion to their weights, and a node of weight 0 is drained.
 *
 * Every client finds the same node, whatever the order of its list: a node's points on the ring follow from its address
 * and weight alone, so that a node that leaves gives up its own keys and moves no other. (Karger and others,
 * "Consistent hashing and random trees", 1997.) Only when weights add up to more than 262,144 / replicas, which is 1,638
 * nodes, there are fewer points for each: then a node that leaves moves up to about 2/n of the keys instead of 1/n.
 *
 * @throws RangeError for `replicas` out of range
 */
export function consistentHash({
  replicas = 160,
  bound = 1.25,
  random = Math.random,
}: ConsistentHashOptions = {}): Balancer {
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > 10_000) {
    throw new RangeError(`replicas: a whole number from 1 to 10000, got ${replicas}`);
  }
  if (typeof bound !== 'number' || !(bound > 1)) throw new RangeError(`bound: above 1, got ${bound}`);
  return {
    name: 'consistentHash',
    build(all) {
      const ring = buildRing(activeNodes(all), replicas);
      const { owners, nodes } = ring;
      const lives = nodes.map(({ live }) => live);
      const load = bound === Number.POSITIVE_INFINITY ? undefined : new BoundedLoad(nodes, bound);
      return ({ hashKey }) => {
        // A random point, not a random node: that respects the weights.
        if (hashKey === undefined) return lives[owners[Math.floor(random() * owners.length)]!]!;
        const first = firstFrom(ring, hash32(hashKey));
        const owner = lives[owners[first]!]!;
        if (load === undefined || owner.inFlight < UNBOUND) return owner;
        return lives[load.firstBelow(owners, first)]!;
      };
    },
  };
}

/** More points than this are not looked at for a node with room. */
const MAX_STEPS = 1_024;

/** How much each node may have. (Mirrokni, Thorup, Zadimoghaddam, "Consistent hashing with bounded loads", 2016.) */
class BoundedLoad {
  readonly #lives: readonly LiveNode[];
  readonly #shares: readonly number[];
  readonly #bound: number;
  #total = 0;
  #picks = 0;

  constructor(nodes: readonly Weighted[], bound: number) {
    this.#lives = nodes.map(({ live }) => live);
    this.#shares = relativeWeights(nodes).map((weight) => weight / nodes.length);
    this.#bound = bound;
  }

  /** The owner of the first point from `first` on that has room. */
  firstBelow(owners: Int32Array, first: number): number {
    this.#count();
    let at = first;
    for (let i = 0; i < MAX_STEPS; i++) {
      const owner = owners[at]!;
      const most = Math.max(UNBOUND, Math.ceil(this.#bound * this.#shares[owner]! * (this.#total + 1)));
      if (this.#lives[owner]!.inFlight < most) return owner;
      at = at + 1 === owners.length ? 0 : at + 1;
    }
    return owners[first]!;
  }

  /** All calls in flight are counted anew after as many picks as there are nodes: so that a pick costs the same however many. */
  #count(): void {
    this.#total++;
    if (this.#picks-- > 0) return;
    this.#picks = this.#lives.length;
    this.#total = 0;
    for (const live of this.#lives) this.#total += live.inFlight;
  }
}

function buildRing(nodes: readonly Weighted[], replicas: number): Ring {
  // In the order of addresses, so that of two nodes with a point at one place every client takes the same.
  const sorted = nodes.toSorted((a, b) => compare(a.live.node.address, b.live.node.address));
  const counts = pointCounts(sorted, replicas);
  const length = counts.reduce((sum, count) => sum + count, 0);
  const starts = new Int32Array(2 ** (32 - Math.clz32(length)) + 1);
  const unsorted = new Int32Array(length);
  let at = 0;
  sorted.forEach(({ live }, index) => {
    const start = hash32(live.node.address);
    const step = hash32(live.node.address, 1) | 1;
    for (let i = 0; i < counts[index]!; i++) {
      const place = mix32(start + Math.imul(i, step));
      unsorted[at++] = place;
      starts[partOf(place, length) + 1]!++;
    }
  });
  for (let part = 1; part < starts.length; part++) starts[part]! += starts[part - 1]!;

  // Each point into its part, and there behind those that are before it.
  const ends = starts.slice();
  const places = new Int32Array(length);
  const owners = new Int32Array(length);
  at = 0;
  counts.forEach((count, index) => {
    for (let i = 0; i < count; i++) {
      const place = unsorted[at++]!;
      const part = partOf(place, length);
      let to = ends[part]!++;
      for (; to > starts[part]! && places[to - 1]! > place; to--) {
        places[to] = places[to - 1]!;
        owners[to] = owners[to - 1]!;
      }
      places[to] = place;
      owners[to] = index;
    }
  });
  return { places, owners, starts, nodes: sorted };
}

/** Of a ring with so many points; places are signed, so that the first part is that of the most negative ones. */
const partOf = (place: number, length: number): number => (place ^ (1 << 31)) >>> Math.clz32(length);

// By code unit: localeCompare differs between machines.
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * So many points for each node, or fewer for all when there would be too many. Each rounds at a moment of its own: with
 * one more node a few of them lose a point, and not all of them at once.
 */
function pointCounts(nodes: readonly Weighted[], replicas: number): number[] {
  const weights = nodes.reduce((sum, { weight }) => sum + weight, 0);
  const perWeight = Math.min(replicas, MAX_POINTS / weights);
  return nodes.map(({ live, weight }) => {
    const rounding = (hash32(live.node.address, 2) >>> 0) / 2 ** 32;
    // Each keeps a point, however light it is.
    return Math.max(1, Math.ceil(weight * perWeight - rounding));
  });
}

/** The index of the first point that is not before `hash`: behind the last one comes the first. */
function firstFrom({ places, starts }: Ring, hash: number): number {
  let at = starts[partOf(hash, places.length)]!;
  while (at < places.length && places[at]! < hash) at++;
  return at === places.length ? 0 : at;
}
