import { type BalancerName, balancerNamed, balancerNames } from '../../selector/balancer/named.js';
import type { Balancer } from '../../selector/balancer.js';
import type { LiveNode } from '../../selector/live-node.js';
import { createNode } from '../../selector/node.js';

export const names: readonly BalancerName[] = balancerNames;

const KEYED: readonly BalancerName[] = ['consistentHash', 'maglev', 'rendezvous'];
export const isKeyed = (name: BalancerName): boolean => KEYED.includes(name);

export const create = (name: BalancerName): Balancer => balancerNamed(name);

/** Nodes as a client sees them, with something in flight and a latency, since comparing zeros would be too easy. */
export function liveNodes(count: number, weightOf: (index: number) => number = () => 1): LiveNode[] {
  return Array.from({ length: count }, (_, i) => ({
    node: createNode({ address: addressOf(i), weight: weightOf(i) }),
    inFlight: i % 4,
    reachable: true,
    latencyMs: 1 + (i % 7),
    latencyAt: 0,
  }));
}

export const addressOf = (index: number): string =>
  `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}:8000`;

/** Keys of about twenty characters, as ids are. */
export const keys = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `customer/${String(i * 7919).padStart(10, '0')}`);
