import type { Scenario, SimulatedServer, Simulation } from './simulation.js';

const FIFTY = {
  servers: 50,
  // Of 10,000 that they could do.
  rate: 6_000,
  serviceMs: 10,
  seconds: 20,
  measureFromS: 3,
};

/** A server that starts has to warm up: three times slower at first. */
const WARM_UP_MS = 3_000;
const COLD = 3;

export const scenarios: readonly Scenario[] = [
  { name: 'healthy', story: 'All of 50 servers are well, at 60 % of what they can do.', ...FIFTY, begin() {} },
  {
    name: 'one slow',
    story: 'One of 50 servers becomes ten times slower.',
    ...FIFTY,
    begin: ({ servers }) => {
      servers[7]!.slowness = 10;
    },
  },
  {
    name: 'one fails fast',
    story: 'One of 50 servers answers each call with an error, at once.',
    ...FIFTY,
    begin: ({ servers, events }) =>
      events.put(5_000, () => {
        servers[7]!.failing = 1;
      }),
  },
  {
    name: 'rolling restart',
    story: 'All 50 servers restart, five at a time: off the list, down a second later, back after another, and cold.',
    ...FIFTY,
    seconds: 25,
    begin: (simulation) => {
      for (let i = 0; i < 50; i++)
        simulation.events.put(4_000 + Math.floor(i / 5) * 2_000, () => restart(simulation, simulation.servers[i]!));
    },
  },
  {
    name: 'cold cache',
    story: 'Servers keep 1,000 of 20,000 keys; a hit takes 2 ms, a miss 20 ms. Five of them lose their caches.',
    ...FIFTY,
    rate: 4_000,
    seconds: 40,
    measureFromS: 20,
    serviceMs: 20,
    cache: { hitMs: 2, size: 1_000 },
    key: (random) => Math.floor(random() * 20_000),
    begin: ({ servers, events }) =>
      events.put(22_000, () => {
        for (const server of servers.slice(0, 5)) server.cache?.clear();
      }),
  },
  {
    name: 'Zipf keys',
    story: 'The same caches, and keys by Zipf’s law: the most wanted key has about a tenth of the calls.',
    ...FIFTY,
    rate: 4_000,
    seconds: 40,
    measureFromS: 20,
    serviceMs: 20,
    cache: { hitMs: 2, size: 1_000 },
    key: zipf(20_000, 1),
    begin() {},
  },
];

/** The two that the default is judged by: ten servers, and the same with one that is ten times slower. */
export const ten: readonly [Scenario, Scenario] = [
  { name: 'ten', story: '', ...FIFTY, servers: 10, rate: 1_000, begin() {} },
  {
    name: 'ten, one slow',
    story: '',
    ...FIFTY,
    servers: 10,
    rate: 1_000,
    begin: ({ servers }) => {
      servers[3]!.slowness = 10;
    },
  },
];

function restart({ events, list }: Simulation, server: SimulatedServer): void {
  server.isListed = false;
  list();
  events.put(1_000, () => {
    server.isUp = false;
    events.put(1_000, () => {
      server.isUp = true;
      server.isListed = true;
      server.slowness = COLD;
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
