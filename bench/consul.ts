import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { startConsul } from '../test/consul/agent.js';
import { measureArrival } from './consul/arrival.js';
import { type Crowd, measureChange } from './consul/change.js';
import { measureSubscribers } from './consul/subscribers.js';

// What Consul's watches cost and how quick they are: `npm run bench:consul -- --help`.

const HELP = `npm run bench:consul -- [options]
  --watchers N     of a value that changes (100)
  --changes N      of that value (200)
  --nodes N        registered within 5 s (1000)
  --subscribers N  of one service (1000)
  --json           one line of JSON instead of text`;

const { values: args } = parseArgs({
  options: {
    watchers: { type: 'string', default: '100' },
    changes: { type: 'string', default: '200' },
    nodes: { type: 'string', default: '1000' },
    subscribers: { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (args.help) {
  console.log(HELP);
  process.exit();
}
const [watchers, changes, nodes, subscribers] = (
  ['watchers', 'changes', 'nodes', 'subscribers'] as const
).map((name) => {
  const value = Number(args[name]);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new RangeError(`--${name}: a whole number from 1, got ${args[name]}`);
}) as [number, number, number, number];

const say = (text: string) => void (args.json || console.log(text));
await using agent = await startConsul({ config: 'limits { http_max_conns_per_client = 2000 }' });

say(`${cpus()[0]!.model}, ${cpus().length} cores, node ${process.version}`);
const change: Record<string, unknown> = {};
for (const crowd of ['one path', 'a path each', 'a request each'] satisfies Crowd[]) {
  const figures = await measureChange(agent, crowd, watchers, changes);
  change[crowd] = figures;
  say(
    `a changed value, ${watchers} watches, ${crowd}: p50 ${figures.p50Ms} ms, p99 ${figures.p99Ms} ms, ` +
      `at most ${figures.maxMs} ms; ${figures.connections} connections`,
  );
}
const arrival = await measureArrival(agent, nodes, 5_000);
say(
  `${nodes} nodes registered in ${arrival.registeredInMs} ms: the client used ${arrival.cpuMs} ms of CPU, ` +
    `${arrival.coreShare} of a core, and knew all ${arrival.seenAfterMs} ms after the last`,
);
const crowd = await measureSubscribers(agent, subscribers);
say(
  `${subscribers} subscribers of one service: ${crowd.connections} connections at most (one for the first read, ` +
    `one that waits), all told of a node after ${crowd.allToldMs} ms`,
);
if (args.json) {
  const machine = { cpu: cpus()[0]!.model, cores: cpus().length, node: process.version };
  console.log(JSON.stringify({ machine, watchers, change, arrival, subscribers: crowd }));
}
process.exit();
