import { randomUUID } from 'node:crypto';
import type { Balancer } from '../balancer.js';
import { hash32, mix32 } from '../hash.js';
import { type BalancerName, balancerNamed } from './named.js';

export type SubsetOptions = {
  /** Nodes that this client uses, 1 or more; 20 to 100 are usual. */
  size: number;
  /** Picks among them. @default 'p2cEwma' */
  balancer?: BalancerName | Balancer;
  /**
   * What tells this client from others: with the same one a client that starts again has the same nodes.
   * @default a random one
   */
  clientId?: string;
};

/**
 * A part of a large set, so that a thousand clients of a thousand servers do not open a million connections. Which nodes
 * they are follows from the client's id and their addresses: each client has others, and when a node comes or goes one
 * node of a subset changes at most. A node that fails is replaced by the next one.
 *
 * (Random subsetting by rendezvous hashing, gRFC A68. The deterministic rounds of Google's "Site Reliability
 * Engineering" share nodes more evenly, but clients have to be numbered for them, and a new size changes all subsets.)
 *
 * @throws RangeError for `size`
 */
export function subset({ size, balancer = 'p2cEwma', clientId = randomUUID() }: SubsetOptions): Balancer {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`size: a whole number from 1, got ${size}`);
  const inner = balancerNamed(balancer);
  const client = hash32(clientId);
  return {
    name: 'subset',
    build(nodes, listed = nodes) {
      const active = nodes.filter(({ node }) => node.weight > 0);
      if (active.length <= size) return inner.build(nodes, listed);
      const ranked = active.map((live) => ({ live, rank: mix32(hash32(live.node.address) ^ client) >>> 0 }));
      ranked.sort((a, b) => a.rank - b.rank);
      return inner.build(
        ranked.slice(0, size).map(({ live }) => live),
        listed,
      );
    },
  };
}
