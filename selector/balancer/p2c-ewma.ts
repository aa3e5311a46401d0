import type { Balancer } from '../balancer.js';
import { peakEwma } from '../load-metric.js';
import { twoChoices } from './p2c.js';

export type P2cEwmaOptions = {
  /** A number from 0 up to but without 1. @default Math.random */
  random?: () => number;
};

/**
 * The power of two choices (see `p2c`) on how long a node's calls took and how many it has: a slow node gets few calls,
 * within one call of becoming slow, and a part of them again some seconds after it has become fast.
 */
export function p2cEwma({ random = Math.random }: P2cEwmaOptions = {}): Balancer {
  return { name: 'p2cEwma', build: (nodes) => twoChoices(nodes, peakEwma, random) };
}
