import { consistentHash } from '../../selector/balancer/consistent-hash.js';
import { leastRequest } from '../../selector/balancer/least-request.js';
import { maglev } from '../../selector/balancer/maglev.js';
import { type BalancerName, balancerNames } from '../../selector/balancer/named.js';
import { p2c } from '../../selector/balancer/p2c.js';
import { p2cEwma } from '../../selector/balancer/p2c-ewma.js';
import { random } from '../../selector/balancer/random.js';
import { rendezvous } from '../../selector/balancer/rendezvous.js';
import { roundRobin } from '../../selector/balancer/round-robin.js';
import { weightedRandom } from '../../selector/balancer/weighted-random.js';
import { weightedRoundRobin } from '../../selector/balancer/weighted-round-robin.js';
import type { Balancer } from '../../selector/balancer.js';
import { ListedNode } from '../../selector/listed-node.js';
import { NodeLoad } from '../../selector/load.js';
import { createNode } from '../../selector/node.js';
import { ServiceLoad } from '../../selector/service-load.js';

export const names: readonly BalancerName[] = balancerNames;

const factories: Record<BalancerName, (options: { random: () => number }) => Balancer> = {
  random,
  roundRobin,
  weightedRoundRobin,
  weightedRandom,
  leastRequest,
  p2c,
  p2cEwma,
  consistentHash,
  maglev,
  rendezvous,
};

export const create = (name: BalancerName, random: () => number): Balancer => factories[name]({ random });

const KEYED: readonly BalancerName[] = ['consistentHash', 'maglev', 'rendezvous'];
export const isKeyed = (name: BalancerName): boolean => KEYED.includes(name);

const UNWEIGHTED: readonly BalancerName[] = ['random', 'roundRobin'];
export const ignoresWeights = (name: BalancerName): boolean => UNWEIGHTED.includes(name);

/** Nodes as a client has them. */
export function listedNodes(count: number, weightOf: (index: number) => number = () => 1): ListedNode[] {
  const service = new ServiceLoad();
  return Array.from({ length: count }, (_, i) => {
    const node = createNode({ address: addressOf(i), weight: weightOf(i) });
    return new ListedNode(node, new NodeLoad(node.address), service, { judge() {}, missed() {} });
  });
}

export const addressOf = (index: number): string =>
  `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}:8000`;

/** Keys of about twenty characters, as ids are. */
export const keys = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `customer/${String(i * 7919).padStart(10, '0')}`);
