import type { Balancer } from '../balancer.js';
import { activeNodes } from '../weight.js';

export type RandomOptions = {
  /** A number from 0 up to but without 1. @default Math.random */
  random?: () => number;
};

/** Every call to a node drawn at random, all alike; a node of weight 0 is drained. */
export function random({ random = Math.random }: RandomOptions = {}): Balancer {
  return {
    name: 'random',
    build(nodes) {
      const active = activeNodes(nodes).map(({ live }) => live);
      return () => active[Math.floor(random() * active.length)]!;
    },
  };
}
