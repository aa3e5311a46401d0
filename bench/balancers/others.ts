import { createRequire } from 'node:module';

// What npm has for the same algorithms, as a user would use it. For maglev, rendezvous hashing, least request and peak
// EWMA there was no maintained package.

const load = createRequire(import.meta.url);

/** A balancer of another package: built for addresses, it gives one of them. */
export type Other = {
  readonly name: string;
  /** Ours that does the same. */
  readonly like: string;
  readonly isKeyed: boolean;
  build(addresses: readonly string[]): (key: string) => unknown;
};

type Picker = { pick(): number };
type Pool = { pick(): unknown };

export const others: readonly Other[] = [
  {
    name: 'load-balancers P2c',
    like: 'p2c',
    isKeyed: false,
    build(addresses) {
      const { P2cBalancer } = load('load-balancers') as { P2cBalancer: new (size: number) => Picker };
      const balancer = new P2cBalancer(addresses.length);
      return () => addresses[balancer.pick()];
    },
  },
  {
    name: 'load-balancers Random',
    like: 'random',
    isKeyed: false,
    build(addresses) {
      const { RandomBalancer } = load('load-balancers') as { RandomBalancer: new (size: number) => Picker };
      const balancer = new RandomBalancer(addresses.length);
      return () => addresses[balancer.pick()];
    },
  },
  {
    name: 'loadbalance roundRobin',
    like: 'roundRobin',
    isKeyed: false,
    build(addresses) {
      const { roundRobin } = load('loadbalance') as { roundRobin(pool: readonly string[]): Pool };
      const balancer = roundRobin(addresses);
      return () => balancer.pick();
    },
  },
  {
    name: 'loadbalance roundRobin, weighted',
    like: 'weightedRoundRobin',
    isKeyed: false,
    build(addresses) {
      const { roundRobin } = load('loadbalance') as { roundRobin(pool: readonly object[]): Pool };
      const balancer = roundRobin(addresses.map((object, i) => ({ object, weight: 1 + (i % 3) })));
      return () => balancer.pick();
    },
  },
  {
    name: 'alias-sampling',
    like: 'weightedRandom',
    isKeyed: false,
    build(addresses) {
      const sample = load('alias-sampling') as (
        shares: readonly number[],
        values: readonly string[],
      ) => { next(): string };
      const weights = addresses.map((_, i) => 1 + (i % 3));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const sampler = sample(
        weights.map((weight) => weight / total),
        addresses,
      );
      return () => sampler.next();
    },
  },
  {
    name: 'hashring',
    like: 'consistentHash',
    isKeyed: true,
    build(addresses) {
      const HashRing = load('hashring') as new (
        servers: readonly string[],
        algorithm: string,
        options: object,
      ) => { get(key: string): string };
      const ring = new HashRing(addresses, 'md5', { 'max cache size': 1 });
      return (key) => ring.get(key);
    },
  },
];
