import type { LiveNode } from './live-node.js';
import { clampWeight } from './node.js';

export interface Weighted {
  readonly live: LiveNode;
  /** Finite and above 0. */
  readonly weight: number;
}

/** What is less is taken for this: a millionth of the usual weight is none, and arithmetic can rely on it. */
const LEAST = 1e-6;

/**
 * The nodes that take calls, with weights that arithmetic can rely on: those above 0. When every node is drained all
 * of them take calls, with equal weights, since a call to a drained node is better than none.
 */
export function activeNodes(nodes: readonly LiveNode[]): readonly Weighted[] {
  const active: Weighted[] = [];
  for (const live of nodes) {
    const weight = clampWeight(live.node.weight);
    if (weight > 0) active.push({ live, weight: Math.max(weight, LEAST) });
  }
  return active.length > 0 ? active : nodes.map((live) => ({ live, weight: 1 }));
}

/** Their weights, where 1 is the mean. */
export function relativeWeights(nodes: readonly Weighted[]): number[] {
  let total = 0;
  for (const { weight } of nodes) total += weight;
  return nodes.map(({ weight }) => (weight * nodes.length) / total);
}
