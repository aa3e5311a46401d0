import type { BalancerName } from '../../selector/balancer/named.js';
import type { Balancer } from '../../selector/balancer.js';
import type { LiveNode } from '../../selector/live-node.js';
import { create, isKeyed, keys, liveNodes, names } from './subjects.js';

export type Fairness = {
  readonly balancer: BalancerName;
  /** Of calls that are answered at once. */
  readonly equal: Spread;
  /** Of nodes with weights 1 to 5; undefined for those that ignore weights. */
  readonly weighted: Spread | undefined;
};

/** How the calls of many nodes differ from their shares. */
export type Spread = {
  /** The largest number of calls over the node's share. */
  readonly maxOverMean: number;
  /** Sum of squared differences over shares, divided by its degrees of freedom: 1 is pure chance, 0 perfectly even. */
  readonly chiSquare: number;
};

export type Moved = {
  readonly balancer: BalancerName;
  /** The share of all keys that have another node after 1 of 100 has left; 0.01 is the least there can be. */
  readonly left: number;
  /** After 1 has joined 99. */
  readonly joined: number;
};

const NODES = 100;
const CALLS = 100_000;
const IGNORE_WEIGHTS: readonly BalancerName[] = ['random', 'roundRobin'];

export const fairness = (): Fairness[] =>
  names.map((balancer) => ({
    balancer,
    equal: spread(create(balancer), isKeyed(balancer), () => 1),
    weighted: IGNORE_WEIGHTS.includes(balancer)
      ? undefined
      : spread(create(balancer), isKeyed(balancer), (i) => 1 + (i % 5)),
  }));

function spread(balancer: Balancer, keyed: boolean, weightOf: (index: number) => number): Spread {
  const nodes: LiveNode[] = liveNodes(NODES, weightOf).map((node) => ({
    ...node,
    inFlight: 0,
    latencyMs: 1,
  }));
  const pick = balancer.build(nodes);
  const counts = new Map(nodes.map((node) => [node, 0]));
  for (const hashKey of keys(CALLS)) {
    const node = pick(keyed ? { hashKey } : {}, 0);
    counts.set(node, counts.get(node)! + 1);
  }
  let weights = 0;
  for (const { node } of nodes) weights += node.weight;
  let maxOverMean = 0;
  let chiSquare = 0;
  for (const [{ node }, calls] of counts) {
    const share = (CALLS * node.weight) / weights;
    maxOverMean = Math.max(maxOverMean, calls / share);
    chiSquare += (calls - share) ** 2 / share;
  }
  return { maxOverMean, chiSquare: chiSquare / (NODES - 1) };
}

export const movedKeys = (): Moved[] =>
  names.filter(isKeyed).map((balancer) => {
    const nodes = liveNodes(NODES);
    const less = nodes.filter((_, i) => i !== 42);
    const all = owners(create(balancer), nodes);
    const without = owners(create(balancer), less);
    const share = all.filter((node, i) => node !== without[i]).length / CALLS;
    const more = owners(create(balancer), [...less, nodes[42]!]);
    return { balancer, left: share, joined: without.filter((node, i) => node !== more[i]).length / CALLS };
  });

function owners(balancer: Balancer, nodes: readonly LiveNode[]): LiveNode[] {
  const pick = balancer.build(nodes);
  return keys(CALLS).map((hashKey) => pick({ hashKey }, 0));
}
