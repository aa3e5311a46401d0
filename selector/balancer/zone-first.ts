import type { Balancer } from '../balancer.js';
import { hash32 } from '../hash.js';
import type { LiveNode } from '../live-node.js';
import { type BalancerName, balancerNamed } from './named.js';

export type ZoneFirstOptions = {
  /** The zone that this client is in. */
  zone: string;
  /** Picks within a zone, and among the nodes of all others. @default 'p2cEwma' */
  balancer?: BalancerName | Balancer;
  /**
   * How much more than its share each node may take: with 1.4 the zone keeps all of its calls until fewer than 1 in 1.4,
   * which is 71 %, of its nodes can be picked. 1 or more. @default 1.4, as in Envoy
   */
  overProvision?: number;
  /** A number from 0 up to but without 1. @default Math.random */
  random?: () => number;
};

/**
 * Calls to nodes of the client's own zone while that has enough of them; what is more than they can take spills over to
 * the other zones. Drained nodes are not counted.
 * @throws RangeError for `overProvision` below 1
 */
export function zoneFirst({
  zone,
  balancer = 'p2cEwma',
  overProvision = 1.4,
  random = Math.random,
}: ZoneFirstOptions): Balancer {
  if (typeof overProvision !== 'number' || !(overProvision >= 1))
    throw new RangeError(`overProvision: a number from 1, got ${overProvision}`);
  // Each side has a position of its own.
  const near = balancerNamed(balancer);
  const far = balancerNamed(balancer);
  return {
    name: 'zoneFirst',
    build(nodes, listed = nodes) {
      const isNear = ({ node }: LiveNode) => node.zone === zone;
      const isFar = ({ node }: LiveNode) => node.zone !== zone;
      const nearby = nodes.filter(isNear);
      const others = nodes.filter(isFar);
      const share = (capacity(nearby) / capacity(listed.filter(isNear))) * overProvision;
      if (!(share > 0) || nearby.length === 0) return far.build(nodes, listed);
      const pickNear = near.build(nearby, listed.filter(isNear));
      if (share >= 1 || others.length === 0) return pickNear;
      const pickFar = far.build(others, listed.filter(isFar));
      return (call, now) => {
        // The same keys spill over every time.
        const at = call.hashKey === undefined ? random() : (hash32(call.hashKey, SEED) >>> 0) / 2 ** 32;
        return at < share ? pickNear(call, now) : pickFar(call, now);
      };
    },
  };
}

/** Another than that of the balancers, whose choice is to be independent of this one. */
const SEED = 0x20e;

function capacity(nodes: readonly LiveNode[]): number {
  let sum = 0;
  for (const { node } of nodes) sum += node.weight;
  return sum;
}
