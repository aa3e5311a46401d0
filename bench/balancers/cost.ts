import type { BalancerName } from '../../selector/balancer/named.js';
import { others } from './others.js';
import { addressOf, create, isKeyed, keys, liveNodes, names } from './subjects.js';

export const SIZES = [3, 100, 10_000] as const;

export type Cost = {
  readonly balancer: string;
  /** Ours that is the same, for one of another package. */
  readonly like: BalancerName | undefined;
  /** Whether the calls had keys. */
  readonly isKeyed: boolean;
  /** Nanoseconds of a pick, by the number of nodes: the least of several rounds, since others use the machine too. */
  readonly pickNs: Readonly<Record<number, number>>;
  /** Milliseconds to build it for so many nodes, the least of several too. */
  readonly buildMs: Readonly<Record<number, number>>;
};

const ROUNDS = 5;

export function costs(ms: number, say: (text: string) => void): Cost[] {
  const all: Cost[] = [];
  for (const name of names) {
    say(`cost: ${name}`);
    const pickNs: Record<number, number> = {};
    const buildMs: Record<number, number> = {};
    for (const size of SIZES) {
      // Weights of all three kinds, so that none is built for equal ones alone.
      const nodes = liveNodes(size, (i) => (name === 'roundRobin' || name === 'random' ? 1 : 1 + (i % 3)));
      const build = () => create(name).build(nodes);
      const pick = build();
      let now = 0;
      pickNs[size] = isKeyed(name)
        ? perPick(ms, (key) => pick({ hashKey: key }, now))
        : perPick(ms, () => pick(NO_KEY, now++));
      buildMs[size] = leastMs(build);
    }
    all.push({ balancer: name, like: undefined, isKeyed: isKeyed(name), pickNs, buildMs });
  }
  for (const other of others) {
    say(`cost: ${other.name}`);
    const pickNs: Record<number, number> = {};
    const buildMs: Record<number, number> = {};
    for (const size of SIZES) {
      const addresses = Array.from({ length: size }, (_, i) => addressOf(i));
      pickNs[size] = perPick(ms, other.build(addresses));
      buildMs[size] = leastMs(() => other.build(addresses));
    }
    const like = other.like as BalancerName;
    all.push({ balancer: other.name, like, isKeyed: other.isKeyed, pickNs, buildMs });
  }
  return all;
}

const NO_KEY = {};
const KEYS = keys(4_096);
/** Where the picks go, so that none of them is left out as useless. */
const sink: { last: unknown } = { last: undefined };

/** The least mean of several rounds of `ms` milliseconds each. */
function perPick(ms: number, pick: (key: string) => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  let batch = 64;
  for (let round = 0; round <= ROUNDS; round++) {
    const began = performance.now();
    let picks = 0;
    let took = 0;
    while (took < ms) {
      for (let i = 0; i < batch; i++) sink.last = pick(KEYS[(picks + i) & 4_095]!);
      picks += batch;
      took = performance.now() - began;
      if (took < ms / 100) batch = Math.min(batch * 2, 65_536);
    }
    // The first warms up.
    if (round > 0) least = Math.min(least, (took / picks) * 1e6);
  }
  return least;
}

function leastMs(build: () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    sink.last = build();
    const took = performance.now() - began;
    least = Math.min(least, took);
    // Slow ones need not be measured that often.
    if (took > 2_000) break;
  }
  return least;
}
