import { silentLogger } from '../../rpc/log.js';
import type { BalancerName } from '../../selector/balancer/named.js';
import { NodeLoad } from '../../selector/load.js';
import { balancerAlone } from '../../selector/pick-rules.js';
import { ServiceNodes } from '../../selector/service-nodes.js';
import { others } from './others.js';
import { addressOf, create, ignoresWeights, isKeyed, keys, listedNodes, names } from './subjects.js';

export const SIZES = [3, 100, 10_000] as const;
export type Size = (typeof SIZES)[number];

export type Cost = {
  readonly balancer: string;
  /** Ours that is the same, for one of another package. */
  readonly like: BalancerName | null;
  /** Whether the calls had keys. */
  readonly isKeyed: boolean;
  /** Nanoseconds of a pick, by the number of nodes: the least of several rounds, since others use the machine too. */
  readonly pickNs: Readonly<Record<Size, number>>;
  /** Milliseconds to take a new list of so many nodes, the least of several rounds too. */
  readonly rebuildMs: Readonly<Record<Size, number>>;
};

export type Rounds = { readonly rounds: number; readonly ms: number };

/** What a pick and a rebuild cost, ours and, behind each, that of another package. */
export function costs(effort: Rounds, say: (text: string) => void): Cost[] {
  return names.flatMap((name) => {
    say(`cost: ${name}`);
    const ours = {
      balancer: name,
      like: null,
      isKeyed: isKeyed(name),
      pickNs: bySize((size) => pickNs(name, size, effort)),
      rebuildMs: bySize((size) => rebuildMs(name, size, effort)),
    };
    const theirs = others
      .filter(({ like }) => like === name)
      .map((other) => {
        say(`cost: ${other.name}`);
        const addresses = (size: number) => Array.from({ length: size }, (_, i) => addressOf(i));
        return {
          balancer: other.name,
          like: other.like,
          isKeyed: other.isKeyed,
          pickNs: bySize((size) => perPick(effort, other.build(addresses(size)))),
          rebuildMs: bySize((size) => leastMs(effort, addresses(size), (set) => other.build(set))),
        };
      });
    return [ours, ...theirs];
  });
}

const bySize = (measure: (size: Size) => number): Record<Size, number> => ({
  3: measure(3),
  100: measure(100),
  10000: measure(10_000),
});

// Weights of three kinds, so that none is measured as if all were equal.
const weightOf = (name: BalancerName) => (i: number) => (ignoresWeights(name) ? 1 : 1 + (i % 3));

const NO_KEY = {};
const KEYS = keys(4_096);
/** Where the picks go, so that none of them is left out as useless. */
const sink: { last: unknown } = { last: undefined };

function pickNs(name: BalancerName, size: Size, effort: Rounds): number {
  const nodes = listedNodes(size, weightOf(name));
  // Comparing nodes that are all alike would be too easy.
  nodes.forEach((node, i) => {
    node.load.inFlight = i % 4;
    node.latencyMs = 1.5 + (i % 7);
    node.latencyAt = 1_000.5 - (i % 1_000);
  });
  const pick = create(name, Math.random).build(nodes);
  const now = 1_000.75;
  return perPick(effort, isKeyed(name) ? (hashKey) => pick({ hashKey }, now) : () => pick(NO_KEY, now));
}

/** The least mean of several rounds. */
function perPick({ rounds, ms }: Rounds, pick: (key: string) => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  let batch = 64;
  // The first warms up.
  for (let round = 0; round <= rounds; round++) {
    const began = performance.now();
    let picks = 0;
    let took = 0;
    while (took < ms) {
      for (let i = 0; i < batch; i++) sink.last = pick(KEYS[(picks + i) & 4_095]!);
      picks += batch;
      took = performance.now() - began;
      if (took < ms / 100) batch = Math.min(batch * 2, 65_536);
    }
    if (round > 0) least = Math.min(least, (took / picks) * 1e6);
  }
  return least;
}

/** All that a client does with a new list of the registry, in which one node has come or gone. */
function rebuildMs(name: BalancerName, size: Size, effort: Rounds): number {
  const list = listedNodes(size, weightOf(name)).map(({ node }) => node);
  const loads = new Map(list.map(({ address }) => [address, new NodeLoad(address)]));
  const nodes = new ServiceNodes({
    service: 'bench',
    balancer: create(name, Math.random),
    rules: balancerAlone,
    logger: silentLogger,
    loadOf: (address) => loads.get(address)!,
    random: Math.random,
    now: () => performance.now(),
  });
  return leastMs(effort, list, (set) => nodes.replace(set));
}

function leastMs<T>({ rounds }: Rounds, all: readonly T[], build: (set: readonly T[]) => unknown): number {
  const less = all.slice(1);
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round <= rounds; round++) {
    const set = round % 2 === 0 ? all : less;
    const began = performance.now();
    sink.last = build(set);
    const took = performance.now() - began;
    least = Math.min(least, took);
    // What is that slow need not be measured often.
    if (took > 1_000) break;
  }
  return least;
}
