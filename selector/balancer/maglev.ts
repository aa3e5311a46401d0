import type { Balancer } from '../balancer.js';
import { hash32 } from '../hash.js';
import type { LiveNode } from '../live-node.js';
import { activeNodes, type Weighted } from '../weight.js';
import { weightedRandom } from './weighted-random.js';

export type MaglevOptions = {
  /**
   * The size of the table: of the larger one fewer keys move between nodes that stay, the smaller one is filled in a
   * tenth of the time and does for some 20 nodes. All clients need the same. @default 655,373
   */
  entries?: 65_537 | 655_373;
  /** A number from 0 up to but without 1; for calls without a key. @default Math.random */
  random?: () => number;
};

/** Primes, as the permutations want. */
const SIZES: readonly number[] = [65_537, 655_373];

/**
 * Calls with the same `hashKey` to the same node, by one look into a table that shares the keys most evenly. When one of
 * n nodes leaves, its keys move, and a few of others: for up to a hundred nodes less than 0.2/n of all keys, for a
 * thousand some 4/n; `consistentHash` moves none. Each change of the set fills the table anew, in 12 to 40 ms. Nodes have
 * entries in proportion to their weights, and one with less than a hundredth of the others' may have none. A call without
 * a key goes to a random node.
 *
 * (Eisenbud and others, "Maglev: a fast and reliable software network load balancer", NSDI 2016, 3.4. With weights,
 * nodes take as many entries per round.)
 *
 * @throws RangeError for `entries`
 */
export function maglev({ entries = 655_373, random = Math.random }: MaglevOptions = {}): Balancer {
  if (!SIZES.includes(entries)) throw new RangeError(`entries: ${SIZES.join(' or ')}, got ${entries}`);
  const keyless = weightedRandom({ random });
  return {
    name: 'maglev',
    build(nodes) {
      // In the order of addresses, so that every client builds the same table.
      const active = activeNodes(nodes).toSorted((a, b) => (address(a) < address(b) ? -1 : 1));
      const lives: readonly LiveNode[] = active.map(({ live }) => live);
      const table = fill(active, entries);
      const anyNode = keyless.build(nodes);
      return (call) => {
        if (call.hashKey === undefined) return anyNode(call);
        return lives[table[(hash32(call.hashKey) >>> 0) % table.length]!]!;
      };
    },
  };
}

const address = ({ live }: Weighted): string => live.node.address;

/** For each entry the index of its node. */
function fill(nodes: readonly Weighted[], size: number): Uint16Array | Uint32Array {
  const count = nodes.length;
  const owners = count <= 2 ** 16 ? new Uint16Array(size) : new Uint32Array(size);
  // A bit for each entry: bytes would not fit the processor's cache.
  const taken = new Int32Array((size >>> 5) + 1);
  const places = Int32Array.from(nodes, (node) => (hash32(address(node)) >>> 0) % size);
  const steps = Int32Array.from(nodes, (node) => ((hash32(address(node), 1) >>> 0) % (size - 1)) + 1);
  const turns = turnsPerRound(nodes);
  const credit = new Float64Array(count);
  for (let filled = 0; ; ) {
    for (let index = 0; index < count; index++) {
      let due = credit[index]! + turns[index]!;
      let place = places[index]!;
      const step = steps[index]!;
      for (; due >= 1; due--) {
        while (((taken[place >>> 5]! >>> place) & 1) !== 0) place = next(place, step, size);
        taken[place >>> 5]! |= 1 << place;
        owners[place] = index;
        if (++filled === size) return owners;
      }
      places[index] = place;
      credit[index] = due;
    }
  }
}

const next = (place: number, step: number, size: number): number =>
  place + step >= size ? place + step - size : place + step;

/** Their mean is about 1, by a power of two: so that a change of one node's weight mostly leaves the others' as they are. */
function turnsPerRound(nodes: readonly Weighted[]): readonly number[] {
  let mean = 0;
  for (const { weight } of nodes) mean += weight / nodes.length;
  const scale = 2 ** -Math.round(Math.log2(mean));
  return nodes.map(({ weight }) => weight * scale);
}
