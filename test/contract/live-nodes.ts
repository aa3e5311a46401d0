import type { LiveNode } from '../../selector/live-node.js';

/** A reachable node without calls in flight. Its weight is taken as it is, however wrong. */
export function liveNode(address: string, weight = 1): LiveNode {
  return {
    node: { address, weight, tags: [], meta: {} },
    inFlight: 0,
    reachable: true,
    latencyMs: 0,
    latencyAt: 0,
  };
}

/** `count` nodes at ports from 1, or one for each of the weights. */
export function liveNodes(countOrWeights: number | readonly number[]): LiveNode[] {
  const weights =
    typeof countOrWeights === 'number' ? new Array<number>(countOrWeights).fill(1) : countOrWeights;
  return weights.map((weight, i) => liveNode(`10.0.0.1:${i + 1}`, weight));
}

/** How many of `calls` picks each node gets, in the order of `nodes`. */
export function tally(nodes: readonly LiveNode[], calls: number, pick: () => LiveNode): number[] {
  const counts = new Map(nodes.map((node) => [node, 0]));
  for (let i = 0; i < calls; i++) {
    const node = pick();
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return [...counts.values()];
}
