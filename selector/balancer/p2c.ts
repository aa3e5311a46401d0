import { AliasTable } from '../alias-table.js';
import type { Balancer } from '../balancer.js';
import { inFlight, type LoadMetric } from '../load-metric.js';
import { activeNodes, relativeWeights } from '../weight.js';

export type P2cOptions = {
  /** What is compared. @default inFlight */
  load?: LoadMetric;
  /** A number from 0 up to but without 1. @default Math.random */
  random?: () => number;
};

/** Draws for a second node that is not the first. With weights of 1,000 to 1 most would be in vain. */
const DRAWS = 4;

/**
 * The power of two choices: two nodes are drawn, in proportion to their weights, and the less loaded one has the call;
 * of two alike the first. Nearly as even as comparing all nodes, and clients do not all rush to the one that was the
 * least loaded a moment ago. A node of weight 0 is drained.
 *
 * (Mitzenmacher, "The power of two choices in randomized load balancing", 2001.)
 */
export function p2c({ load = inFlight, random = Math.random }: P2cOptions = {}): Balancer {
  return { name: 'p2c', build: (nodes) => twoChoices(nodes, load, random) };
}

/** The pick of `p2c`, with any load. */
export function twoChoices(
  nodes: Parameters<Balancer['build']>[0],
  load: LoadMetric,
  random: () => number,
): ReturnType<Balancer['build']> {
  const active = activeNodes(nodes);
  const lives = active.map(({ live }) => live);
  const weights = relativeWeights(active);
  const table = new AliasTable(active.map(({ weight }) => weight));
  const count = lives.length;
  if (count === 1) return () => lives[0]!;
  return (_, now = performance.now()) => {
    const first = table.draw(random());
    let second = table.draw(random());
    for (let i = 1; second === first && i < DRAWS; i++) second = table.draw(random());
    if (second === first) second = (first + 1 + Math.floor(random() * (count - 1))) % count;
    const a = lives[first]!;
    const b = lives[second]!;
    return load(b, now, weights[second]!) < load(a, now, weights[first]!) ? b : a;
  };
}
