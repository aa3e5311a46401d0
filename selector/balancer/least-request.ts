import { AliasTable } from '../alias-table.js';
import type { Balancer } from '../balancer.js';
import { inFlight } from '../load-metric.js';
import { activeNodes, relativeWeights } from '../weight.js';

export type LeastRequestOptions = {
  /** Nodes that are compared for a call, from 1 to 100; all nodes when there are no more than these. @default 4 */
  choices?: number;
  /** A number from 0 up to but without 1. @default Math.random */
  random?: () => number;
};

/**
 * The node with the fewest calls in flight per weight, of a few that are drawn in proportion to their weights, so that a
 * pick does not look at thousands. Of several alike one is drawn. A node of weight 0 is drained.
 * @throws RangeError for `choices` out of range
 */
export function leastRequest({ choices = 4, random = Math.random }: LeastRequestOptions = {}): Balancer {
  if (!Number.isInteger(choices) || choices < 1 || choices > 100)
    throw new RangeError(`choices: a whole number from 1 to 100, got ${choices}`);
  return {
    name: 'leastRequest',
    build(nodes) {
      const active = activeNodes(nodes);
      const lives = active.map(({ live }) => live);
      const weights = relativeWeights(active);
      if (lives.length > choices) {
        const table = new AliasTable(active.map(({ weight }) => weight));
        return () => {
          let best = table.draw(random());
          let least = inFlight(lives[best]!, 0, weights[best]!);
          for (let i = 1; i < choices; i++) {
            const other = table.draw(random());
            const load = inFlight(lives[other]!, 0, weights[other]!);
            if (load >= least) continue;
            best = other;
            least = load;
          }
          return lives[best]!;
        };
      }
      return () => {
        let best = 0;
        let least = Number.POSITIVE_INFINITY;
        let alike = 0; // The weight of those that are as little loaded as the best.
        for (let i = 0; i < lives.length; i++) {
          const load = inFlight(lives[i]!, 0, weights[i]!);
          if (load > least) continue;
          alike = load < least ? weights[i]! : alike + weights[i]!;
          if (load < least || random() * alike < weights[i]!) best = i;
          least = load;
        }
        return lives[best]!;
      };
    },
  };
}
