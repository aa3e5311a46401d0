import { createRequire } from 'node:module';
import type { BalancerName } from '../../selector/balancer/named.js';

// What npm has for the same algorithms, used as its readme says. For maglev, rendezvous hashing, least request and peak
// EWMA there was no maintained package.

const require = createRequire(import.meta.url);

/** A balancer of another package: built for addresses, it gives one of them. */
export type Other = {
  readonly name: string;
  readonly package: string;
  /** Ours that does the same. */
  readonly like: BalancerName;
  readonly isKeyed: boolean;
  build(addresses: readonly string[]): (key: string) => unknown;
};

type Picker = { pick(): number };
type Pool = { pick(): unknown };
type LoadBalancers = Record<'P2cBalancer' | 'RandomBalancer', new (size: number) => Picker>;
type Loadbalance = { roundRobin(pool: readonly (string | { object: string; weight: number })[]): Pool };
type AliasSampling = (shares: readonly number[], values: readonly string[]) => { next(): string };
type HashRing = new (
  servers: readonly string[],
  algorithm: string,
  options: { 'max cache size': number },
) => { get(key: string): string };

const weightOf = (index: number): number => 1 + (index % 3);

export const others: readonly Other[] = [
  {
    name: 'load-balancers Random',
    package: 'load-balancers',
    like: 'random',
    isKeyed: false,
    build(addresses) {
      const { RandomBalancer } = require('load-balancers') as LoadBalancers;
      const balancer = new RandomBalancer(addresses.length);
      return () => addresses[balancer.pick()];
    },
  },
  {
    name: 'loadbalance roundRobin',
    package: 'loadbalance',
    like: 'roundRobin',
    isKeyed: false,
    build(addresses) {
      const balancer = (require('loadbalance') as Loadbalance).roundRobin(addresses);
      return () => balancer.pick();
    },
  },
  {
    name: 'loadbalance roundRobin, weights',
    package: 'loadbalance',
    like: 'weightedRoundRobin',
    isKeyed: false,
    build(addresses) {
      const pool = addresses.map((object, i) => ({ object, weight: weightOf(i) }));
      const balancer = (require('loadbalance') as Loadbalance).roundRobin(pool);
      return () => balancer.pick();
    },
  },
  {
    name: 'alias-sampling',
    package: 'alias-sampling',
    like: 'weightedRandom',
    isKeyed: false,
    build(addresses) {
      const weights = addresses.map((_, i) => weightOf(i));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const shares = weights.map((weight) => weight / total);
      const sampler = (require('alias-sampling') as AliasSampling)(shares, addresses);
      return () => sampler.next();
    },
  },
  {
    // Knows nothing of calls that end: it counts those that it has ever given.
    name: 'load-balancers P2c',
    package: 'load-balancers',
    like: 'p2c',
    isKeyed: false,
    build(addresses) {
      const { P2cBalancer } = require('load-balancers') as LoadBalancers;
      const balancer = new P2cBalancer(addresses.length);
      return () => addresses[balancer.pick()];
    },
  },
  {
    name: 'hashring',
    package: 'hashring',
    like: 'consistentHash',
    isKeyed: true,
    build(addresses) {
      const Ring = require('hashring') as HashRing;
      // Its cache would answer for keys that come again.
      const ring = new Ring(addresses, 'md5', { 'max cache size': 1 });
      return (key) => ring.get(key);
    },
  },
];
