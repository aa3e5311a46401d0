import { AliasTable } from '../alias-table.js';
import type { Balancer } from '../balancer.js';
import { activeNodes } from '../weight.js';

export type WeightedRandomOptions = {
  /** A number from 0 up to but without 1. @default Math.random */
  random?: () => number;
};

/** Every call to a node drawn at random, in proportion to the weights; a node of weight 0 is drained. */
export function weightedRandom({ random = Math.random }: WeightedRandomOptions = {}): Balancer {
  return {
    name: 'weightedRandom',
    build(nodes) {
      const active = activeNodes(nodes);
      const lives = active.map(({ live }) => live);
      const table = new AliasTable(active.map(({ weight }) => weight));
      return () => lives[table.draw(random())]!;
    },
  };
}
