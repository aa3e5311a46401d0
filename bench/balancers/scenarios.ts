import type { Scenario, SimulatedServer, Simulation } from './simulation.js';

const FIFTY = {
  servers: 50,
  // Of 10,000 that they could do.
  rate: 6_000,
  serviceMs: 10,
  seconds: 20,
  measureFromS: 3,
};

const CACHED = {
  ...FIFTY,
  rate: 4_000,
  serviceMs: 20,
  cache: { hitMs: 2, size: 1_000 },
  seconds: 40,
  measureFromS: 20,
};

const ILL = 7;
const ILL_FROM_MS = 5_000;

/** A server that starts has to warm up: three times slower at first. */
const WARM_UP_MS = 3_000;
const COLD = 3;

const becomesSlow = ({ servers, events }: Simulation) =>
  events.put(ILL_FROM_MS, () => {
    servers[ILL]!.slowness = 10;
  });

const fails = ({ servers, events }: Simulation) =>
  events.put(ILL_FROM_MS, () => {
    servers[ILL]!.failing = 1;
  });

export const scenarios: readonly Scenario[] = [
  {
    ...FIFTY,
    name: 'healthy',
    story: 'All of 50 servers are well, and have 60 % of the calls that they can do.',
    begin() {},
  },
  {
    ...FIFTY,
    name: 'one slow',
    story: 'One of 50 servers becomes ten times slower.',
    measureFromS: ILL_FROM_MS / 1_000,
    ill: ILL,
    begin: becomesSlow,
  },
  {
    ...FIFTY,
    name: 'one fails fast',
    story: 'One of 50 servers begins to answer each call with an error, at once; it is ejected.',
    measureFromS: ILL_FROM_MS / 1_000,
    ill: ILL,
    begin: fails,
  },
  {
    ...FIFTY,
    name: 'one fails fast, without ejection',
    story:
      'The same with ejection: false. A node that fails fast has little to do, and so it looks like a good one.',
    measureFromS: ILL_FROM_MS / 1_000,
    ill: ILL,
    ejects: false,
    begin: fails,
  },
  {
    ...FIFTY,
    name: 'rolling restart',
    story:
      'All 50 servers restart, five at a time: off the list, down a second later, back after another one, and three times slower until they are warm.',
    seconds: 25,
    begin: (simulation) => {
      for (const server of simulation.servers)
        simulation.events.put(4_000 + Math.floor(server.index / 5) * 2_000, () =>
          restart(simulation, server),
        );
    },
  },
  {
    ...CACHED,
    name: 'cold cache',
    story:
      'Each server keeps 1,000 of 20,000 keys; a hit takes 2 ms, a miss 20 ms. Five servers lose their caches.',
    key: (random) => Math.floor(random() * 20_000),
    begin: ({ servers, events }) =>
      events.put(22_000, () => {
        for (const server of servers.slice(0, 5)) server.cache.clear();
      }),
  },
  {
    ...CACHED,
    name: 'Zipf keys',
    story: 'The same caches, and keys by Zipf’s law: a tenth of the calls are for one key.',
    key: zipf(20_000, 1),
    begin() {},
  },
];

const TEN = { ...FIFTY, servers: 10, rate: 1_000, seconds: 30, measureFromS: ILL_FROM_MS / 1_000 };

/** The two that the default is judged by. */
export const ten = {
  healthy: {
    ...TEN,
    name: 'ten servers',
    story: 'All of ten servers are well, at half of what they can do.',
    begin() {},
  },
  oneSlow: {
    ...TEN,
    name: 'one of ten slow',
    story: 'One of ten servers becomes ten times slower.',
    ill: ILL,
    begin: becomesSlow,
  },
} satisfies Record<string, Scenario>;

function restart({ events, list }: Simulation, server: SimulatedServer): void {
  server.isListed = false;
  list();
  events.put(1_000, () => {
    server.isUp = false;
    events.put(1_000, () => {
      server.isUp = true;
      server.isListed = true;
      list();
      const warmUp = (ms: number) => {
        server.slowness = 1 + (COLD - 1) * Math.max(0, 1 - ms / WARM_UP_MS);
        if (ms < WARM_UP_MS) events.put(100, () => warmUp(ms + 100));
      };
      warmUp(0);
    });
  });
}

/** Keys of which the i-th is wanted in proportion to 1/i^s. */
function zipf(count: number, s: number): (random: () => number) => number {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += 1 / (i + 1) ** s;
    sums[i] = sum;
  }
  return (random) => {
    const wanted = random() * sum;
    let from = 0;
    let to = count - 1;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (sums[middle]! < wanted) from = middle + 1;
      else to = middle;
    }
    return from;
  };
}
