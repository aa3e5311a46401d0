import type { BalancerName } from '../../selector/balancer/named.js';
import type { Balancer } from '../../selector/balancer.js';
import { others } from './others.js';
import { create, ignoresWeights, isKeyed, keys, listedNodes, names } from './subjects.js';

export type Fairness = {
  readonly balancer: BalancerName;
  /** Of calls that are answered at once. */
  readonly equal: Spread;
  /** Of nodes with weights 1 to 5; null for those that ignore weights. */
  readonly weighted: Spread | null;
};

/** How the calls of many nodes differ from their shares. */
export type Spread = {
  /** The largest number of calls over the node's share. */
  readonly maxOverMean: number;
  /** Sum of squared differences over shares, divided by its degrees of freedom: 1 is pure chance, 0 perfectly even. */
  readonly chiSquare: number;
};

export type Moved = {
  readonly balancer: string;
  /** The share of all keys that have another node after 1 of 100 has left; 0.01 is the least there can be. */
  readonly left: number;
  /** After 1 has joined 99. */
  readonly joined: number;
};

export const NODES = 100;
export const CALLS = 100_000;
const KEYS = keys(CALLS);

export const fairness = (random: () => number): Fairness[] =>
  names.map((balancer) => {
    const of = (weightOf: (index: number) => number) =>
      spread(create(balancer, random), isKeyed(balancer), weightOf);
    return {
      balancer,
      equal: of(() => 1),
      weighted: ignoresWeights(balancer) ? null : of((i) => 1 + (i % 5)),
    };
  });

function spread(balancer: Balancer, keyed: boolean, weightOf: (index: number) => number): Spread {
  const nodes = listedNodes(NODES, weightOf);
  const pick = balancer.build(nodes);
  const counts = new Map<unknown, number>();
  for (const hashKey of KEYS) {
    const node = pick(keyed ? { hashKey } : {}, 0);
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  const weights = nodes.reduce((sum, { node }) => sum + node.weight, 0);
  let maxOverMean = 0;
  let chiSquare = 0;
  for (const listed of nodes) {
    const calls = counts.get(listed) ?? 0;
    const share = (CALLS * listed.node.weight) / weights;
    maxOverMean = Math.max(maxOverMean, calls / share);
    chiSquare += (calls - share) ** 2 / share;
  }
  return { maxOverMean, chiSquare: chiSquare / (NODES - 1) };
}

/** Of those that go by key, the other packages' too. */
export function movedKeys(): Moved[] {
  const nodes = listedNodes(NODES);
  const less = nodes.filter((_, i) => i !== 42);
  const more = [...less, nodes[42]!];
  const moved = (balancer: string, owners: (set: typeof nodes) => unknown[]): Moved => {
    const [all, without, joined] = [owners(nodes), owners(less), owners(more)];
    const share = (a: unknown[], b: unknown[]) => a.filter((owner, i) => owner !== b[i]).length / CALLS;
    return { balancer, left: share(all, without), joined: share(without, joined) };
  };
  return [
    ...names.filter(isKeyed).map((name) =>
      moved(name, (set) => {
        const pick = create(name, Math.random).build(set);
        return KEYS.map((hashKey) => pick({ hashKey }, 0));
      }),
    ),
    ...others
      .filter((other) => other.isKeyed)
      .map((other) => moved(other.name, (set) => KEYS.map(other.build(set.map(({ node }) => node.address))))),
  ];
}
