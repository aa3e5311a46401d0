import type { BalancerName } from '../../selector/balancer/named.js';
import { DEFAULT, MOST_MOVED, MOST_NS, MOST_P99, MOST_REBUILD_MS, MOST_SLOW_SHARE } from './figures.js';
import { number, percent, range, times } from './format.js';
import type { Results, Simulated } from './results.js';
import { CLIENTS, type Outcome, TIMEOUT_MS, WORKERS } from './simulation.js';
import { isKeyed, names } from './subjects.js';

/** A table whose columns are figures: the rows of a .md, and the bars of a chart. */
export type Section = {
  /** What there is to see, in one sentence. */
  readonly headline: string;
  /** What was measured, and how. */
  readonly story: string;
  readonly rows: readonly Row[];
  readonly columns: readonly Column[];
};

export type Row = { readonly label: string; readonly kind: 'default' | 'keyless' | 'keyed' | 'other' };

export type Column = {
  readonly title: string;
  /** One for each row; null when there is none. */
  readonly values: readonly (number | null)[];
  readonly show: (value: number) => string;
  /** What is demanded to be no more than that. */
  readonly limit?: number;
  /** For figures that differ by powers of ten. @default 'linear' */
  readonly scale?: 'linear' | 'log';
};

const ms = (value: number): string =>
  value > 0 && value < 0.1 ? `${number(value * 1_000)} µs` : `${number(value)} ms`;
const ns = (value: number): string => `${number(value)} ns`;

const OURS: readonly Row[] = names.map((label) => ({ label, kind: kindOf(label) }));

export function sections(results: Results): Section[] {
  const keyless = results.costs.filter((cost) => !cost.isKeyed);
  const keyed = results.costs.filter((cost) => cost.isKeyed);
  return [
    slowTen(results),
    ...results.scenarios.map(scenario),
    cost(keyless, MOST_NS.keyless, 'without a key'),
    cost(keyed, MOST_NS.keyed, 'by key'),
    rebuild(results),
    moved(results),
    fairness(results),
  ];
}

function slowTen({ healthyTen, slowTen }: Results): Section {
  const { [DEFAULT]: ours, ...others } = slowTen.outcomes;
  const ratio = (name: BalancerName) => slowTen.outcomes[name].p99Ms / healthyTen.outcomes[name].p99Ms;
  const blind = Object.values(others).map(({ illShare }) => illShare!);
  return {
    headline: `One of ten servers becomes ten times slower: ${DEFAULT} sends it ${percent(ours.illShare!)} of the calls and keeps p99 at ${times(ratio(DEFAULT))} that of a healthy set. The others send it ${range(blind, percent)}.`,
    story: `Simulated: 1,000 calls/s, measured for 25 s from the moment on when the server becomes slow; it could do 2 % of them.`,
    rows: OURS,
    columns: [
      {
        title: 'calls sent to the slow server',
        values: names.map((name) => slowTen.outcomes[name].illShare),
        show: percent,
        limit: MOST_SLOW_SHARE,
      },
      {
        title: 'p99 / healthy p99',
        values: names.map(ratio),
        show: times,
        limit: MOST_P99,
        scale: 'log',
      },
      { title: 'p99', values: names.map((name) => slowTen.outcomes[name].p99Ms), show: ms, scale: 'log' },
      { title: 'failed calls', values: names.map((name) => slowTen.outcomes[name].errors), show: percent },
    ],
  };
}

function scenario({ scenario, story, outcomes }: Simulated): Section {
  const of = (figure: (outcome: Outcome) => number | null) => names.map((name) => figure(outcomes[name]));
  const isIll = outcomes[DEFAULT].illShare !== null;
  const hasCache = outcomes[DEFAULT].hits !== null;
  return {
    headline: `${scenario[0]!.toUpperCase()}${scenario.slice(1)}: ${HEADLINES[scenario]?.(outcomes) ?? ''}`,
    story,
    rows: OURS,
    columns: [
      { title: 'p50', values: of(({ p50Ms }) => p50Ms), show: ms },
      { title: 'p99', values: of(({ p99Ms }) => p99Ms), show: ms },
      { title: 'p99.9', values: of(({ p999Ms }) => p999Ms), show: ms },
      { title: 'failed calls', values: of(({ errors }) => errors), show: percent },
      { title: 'busiest / mean', values: of(({ maxOverMean }) => maxOverMean), show: times },
      ...(isIll
        ? [{ title: 'calls to the ill server', values: of(({ illShare }) => illShare), show: percent }]
        : []),
      ...(hasCache ? [{ title: 'found in a cache', values: of(({ hits }) => hits), show: percent }] : []),
    ],
  };
}

/** What a scenario shows, said with its figures. */
const HEADLINES: Record<string, (outcomes: Simulated['outcomes']) => string> = {
  healthy: (outcomes) =>
    `p99 is ${range(pick(outcomes, INFORMED, 'p99Ms'), ms)} for balancers that take turns or look at the load, and ${range(pick(outcomes, BLIND, 'p99Ms'), ms)} for those by chance or by key.`,
  'one slow': (outcomes) =>
    `p99.9 is ${ms(outcomes[DEFAULT].p999Ms)} with ${DEFAULT}, ${range(pick(outcomes, ['leastRequest', 'p2c'], 'p999Ms'), ms)} with those that count calls in flight, and up to ${ms(Math.max(...pick(outcomes, names, 'p999Ms')))}, the time-out, with the others.`,
  'one fails fast': (outcomes) =>
    `ejection takes it out after five failures, whichever the balancer: ${range(pick(outcomes, names, 'errors'), percent)} of all calls fail.`,
  'one fails fast, without ejection': (outcomes) =>
    `those that look at the load send it more than its share of 2 %, ${DEFAULT} ${percent(outcomes[DEFAULT].illShare!)}. That is what ejection is for.`,
  'rolling restart': (outcomes) =>
    `${percent(Math.max(...pick(outcomes, names, 'errors')))} of the calls fail. Servers that are still cold have few calls at first, so that p99 is ${range(pick(outcomes, KEYLESS, 'p99Ms'), ms)}; but all those of their keys: ${range(pick(outcomes, KEYED, 'p99Ms'), ms)}, least with bounded load.`,
  'cold cache': (outcomes) =>
    `by key ${range(pick(outcomes, KEYED, 'hits'), percent)} of the calls find what they want in a cache, else ${range(pick(outcomes, KEYLESS, 'hits'), percent)}: the median is ${range(pick(outcomes, KEYED, 'p50Ms'), ms)} instead of ${range(pick(outcomes, KEYLESS, 'p50Ms'), ms)}.`,
  'Zipf keys': (outcomes) =>
    `by key the busiest server has ${range(pick(outcomes, KEYED, 'maxOverMean'), times)} the mean, and caches still pay: p99 is ${range(pick(outcomes, KEYED, 'p99Ms'), ms)} instead of ${range(pick(outcomes, KEYLESS, 'p99Ms'), ms)}.`,
};

const KEYED = names.filter(isKeyed);
const KEYLESS = names.filter((name) => !isKeyed(name));
const INFORMED: readonly BalancerName[] = [
  'roundRobin',
  'weightedRoundRobin',
  'leastRequest',
  'p2c',
  'p2cEwma',
];
const BLIND = names.filter((name) => !INFORMED.includes(name));

const pick = (
  outcomes: Simulated['outcomes'],
  of: readonly BalancerName[],
  figure: 'p50Ms' | 'p99Ms' | 'p999Ms' | 'errors' | 'maxOverMean' | 'hits',
): number[] => of.map((name) => outcomes[name][figure] ?? 0);

function cost(costs: Results['costs'], most: number, how: string): Section {
  const ours = costs.filter(({ like }) => like === null);
  const within = ours.filter(({ pickNs }) => pickNs[100] <= most).map(({ pickNs }) => pickNs[100]);
  const over = ours.filter(({ pickNs }) => pickNs[100] > most);
  const exceptions = over.map(({ balancer, pickNs }) => `, and ${ns(pickNs[100])} for ${balancer}`).join('');
  return {
    headline: `A pick ${how} among 100 nodes takes ${range(within, ns)}${exceptions}; the limit is ${most} ns.`,
    story: `The time of one pick, with the loop around it. Grey: packages of npm for the same algorithm. Weights are 1, 2 and 3, but for those that ignore them.`,
    rows: rowsOf(costs),
    columns: ([3, 100, 10_000] as const).map((size) => ({
      title: `among ${size.toLocaleString('en')} nodes`,
      values: costs.map(({ pickNs }) => pickNs[size]),
      show: ns,
      scale: 'log',
      ...(size === 100 ? { limit: most } : {}),
    })),
  };
}

function rebuild({ costs }: Results): Section {
  const ours = costs.filter(({ like }) => like === null);
  const slowest = ours.toSorted((a, b) => b.rebuildMs[10_000] - a.rebuildMs[10_000])[0]!;
  return {
    headline: `A change in a set of 10,000 nodes is taken in within ${ms(slowest.rebuildMs[10_000])} (${slowest.balancer}); the limit is ${MOST_REBUILD_MS} ms.`,
    story: `From the registry’s new list, in which one node has come or gone, to the next pick. Of packages of npm (grey) only what they do to make a balancer of addresses.`,
    rows: rowsOf(costs),
    columns: ([3, 100, 10_000] as const).map((size) => ({
      title: `${size.toLocaleString('en')} nodes`,
      values: costs.map(({ rebuildMs }) => rebuildMs[size]),
      show: ms,
      scale: 'log',
      ...(size === 10_000 ? { limit: MOST_REBUILD_MS } : {}),
    })),
  };
}

function moved({ moved }: Results): Section {
  const ours = moved.filter(({ balancer }) => names.includes(balancer as BalancerName));
  const all = ours.flatMap(({ left, joined }) => [left, joined]);
  return {
    headline: `When 1 of 100 nodes leaves or joins, ${range(all, percent)} of the keys move; 1 % is what has to, 1.2 % the limit.`,
    story: `100,000 keys. What is a little below 1 % is the share of that node, which is not exactly a hundredth.`,
    rows: moved.map(({ balancer }) => ({ label: balancer, kind: kindOf(balancer) })),
    columns: [
      { title: '1 of 100 leaves', values: moved.map(({ left }) => left), show: percent, limit: MOST_MOVED },
      { title: '1 joins 99', values: moved.map(({ joined }) => joined), show: percent, limit: MOST_MOVED },
    ],
  };
}

function fairness({ fairness }: Results): Section {
  const most = fairness.toSorted((a, b) => b.equal.maxOverMean - a.equal.maxOverMean)[0]!;
  return {
    headline: `Over 100,000 calls the busiest of 100 equal nodes has at most ${times(most.equal.maxOverMean)} the mean (${most.balancer}).`,
    story: `Calls that are answered at once, 1,000 for each node, so that there is no load to go by: one that draws lots has some 1.08 x. Chi-square is divided by its degrees of freedom: 0 is perfectly even, 1 pure chance. Weights are 1 to 5, and a share is that of a node’s weight; two balancers ignore them.`,
    rows: OURS,
    columns: [
      {
        title: 'busiest / share, equal',
        values: fairness.map(({ equal }) => equal.maxOverMean),
        show: times,
      },
      {
        title: 'busiest / share, weights',
        values: fairness.map(({ weighted }) => weighted?.maxOverMean ?? null),
        show: times,
      },
      { title: 'chi-square, equal', values: fairness.map(({ equal }) => equal.chiSquare), show: number },
      {
        title: 'chi-square, weights',
        values: fairness.map(({ weighted }) => weighted?.chiSquare ?? null),
        show: number,
      },
    ],
  };
}

/** How the simulations were done. */
export const SIMULATION = `A discrete-event simulation in virtual time: ${CLIENTS} clients pick as in production, with ejection and slow start as by default, and do not retry; servers have ${WORKERS} workers and a queue; a call is given up after ${number(TIMEOUT_MS / 1_000)} s. All weights are equal, so that weightedRandom and weightedRoundRobin pick as random and roundRobin do.`;

const rowsOf = (costs: Results['costs']): Row[] =>
  costs.map(({ balancer }) => ({ label: balancer, kind: kindOf(balancer) }));

function kindOf(name: string): Row['kind'] {
  if (name === DEFAULT) return 'default';
  if (!names.includes(name as BalancerName)) return 'other';
  return isKeyed(name as BalancerName) ? 'keyed' : 'keyless';
}
