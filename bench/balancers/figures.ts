import { number, percent, times } from './format.js';
import type { Results } from './results.js';

/** What is demanded of the balancers, and what was measured. */
export type Figure = {
  readonly demanded: string;
  readonly measured: string;
  readonly isMet: boolean;
};

export const DEFAULT = 'p2cEwma';
export const MOST_SLOW_SHARE = 0.05;
export const MOST_P99 = 2;
/** Of one of a hundred nodes. */
export const MOST_MOVED = 1.2 / 100;
export const MOST_NS = { keyless: 100, keyed: 300 } as const;
export const MOST_REBUILD_MS = 50;
/** What a measurement of the same may differ by. */
const GROWN = 1.25;

export function figures(results: Results): Figure[] {
  const { costs, moved, healthyTen, slowTen } = results;
  const slow = slowTen.outcomes[DEFAULT];
  const healthy = healthyTen.outcomes[DEFAULT];
  const ours = costs.filter(({ like }) => like === null);

  const ofKind = (isKeyed: boolean, most: number): Figure => {
    const kind = ours.filter((cost) => cost.isKeyed === isKeyed);
    const over = kind.filter(({ pickNs }) => pickNs[100] > most);
    const within = kind.filter((cost) => !over.includes(cost));
    const worst = within.toSorted((a, b) => b.pickNs[100] - a.pickNs[100])[0];
    return {
      demanded: `a pick ${isKeyed ? 'by key' : 'without a key'} costs at most ${most} ns at 100 nodes`,
      measured: [
        ...over.map(({ balancer, pickNs }) => `${balancer} takes ${number(pickNs[100])} ns`),
        ...(worst
          ? [
              `the ${over.length > 0 ? 'others' : 'dearest'}${over.length > 0 ? ' at most' : ''} ${number(worst.pickNs[100])} ns (${worst.balancer})`,
            ]
          : []),
      ].join('; '),
      isMet: over.length === 0,
    };
  };
  const growth = ours
    .filter(({ balancer }) => balancer !== 'rendezvous')
    .map(({ balancer, pickNs }) => ({ balancer, times: pickNs[10_000] / pickNs[100] }))
    .sort((a, b) => b.times - a.times);
  const slowest = ours.toSorted((a, b) => b.rebuildMs[10_000] - a.rebuildMs[10_000])[0]!;

  return [
    {
      demanded: `${DEFAULT} sends one of 10 nodes that is 10 times slower at most ${percent(MOST_SLOW_SHARE)} of the calls`,
      measured: percent(slow.illShare!),
      isMet: slow.illShare! <= MOST_SLOW_SHARE,
    },
    {
      demanded: `its p99 is at most ${MOST_P99} times that of a healthy set`,
      measured: `${times(slow.p99Ms / healthy.p99Ms)}: ${number(slow.p99Ms)} ms beside ${number(healthy.p99Ms)} ms`,
      isMet: slow.p99Ms <= MOST_P99 * healthy.p99Ms,
    },
    ...(['consistentHash', 'maglev'] as const).map((name) => {
      const { left, joined } = moved.find(({ balancer }) => balancer === name)!;
      return {
        demanded: `${name} moves at most 1.2/n of the keys when one of n = 100 nodes leaves or joins`,
        measured: `${(left * 100).toFixed(2)}/n, and ${(joined * 100).toFixed(2)}/n`,
        isMet: left <= MOST_MOVED && joined <= MOST_MOVED,
      };
    }),
    ofKind(false, MOST_NS.keyless),
    ofKind(true, MOST_NS.keyed),
    {
      demanded: 'a pick does not cost more with more nodes, but for rendezvous',
      measured: `up to ${times(growth[0]!.times)} from 100 to 10,000 nodes (${growth[0]!.balancer}): the steps are the same, but so many nodes are not in the processor’s caches`,
      isMet: growth[0]!.times <= GROWN,
    },
    {
      demanded: `a set of 10,000 nodes is rebuilt in at most ${MOST_REBUILD_MS} ms`,
      measured: `at most ${number(slowest.rebuildMs[10_000])} ms (${slowest.balancer})`,
      isMet: slowest.rebuildMs[10_000] <= MOST_REBUILD_MS,
    },
  ];
}
