import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Client } from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { quantile } from '../test/faults/figures.js';
import { Work } from './workers/service.js';

// What a second worker is worth to handlers that compute: `npm run bench:workers -- --help`.

const HELP = `npm run bench:workers -- [options]
  --rounds N   of each figure, whose median counts (7)
  --ms N       of each round (1000)
  --us N       that a handler computes (500)
  --workers N  beside one (2)
  --json       one line of JSON instead of text`;

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    ms: { type: 'string', default: '1000' },
    us: { type: 'string', default: '500' },
    workers: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (args.help) {
  console.log(HELP);
  process.exit();
}
const [rounds, ms, us, workers] = (['rounds', 'ms', 'us', 'workers'] as const).map((name) => {
  const value = Number(args[name]);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new RangeError(`--${name}: a whole number from 1, got ${args[name]}`);
}) as [number, number, number, number];

const IN_FLIGHT = 32;
const program = fileURLToPath(new URL('./workers/server.js', import.meta.url));

type Side = { readonly child: ChildProcess; readonly client: Client; readonly callsPerSecond: number[] };

async function start(count: number): Promise<Side> {
  const child = fork(program, [String(count)]);
  const [addresses] = (await once(child, 'message')) as [string[]];
  return { child, client: new Client({ resolver: fixed(addresses) }), callsPerSecond: [] };
}

async function round({ client }: Side): Promise<number> {
  const api = client.service(Work);
  const began = performance.now();
  let calls = 0;
  const loop = async () => {
    for (; performance.now() - began < ms; calls++) await api.work({ us });
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, loop));
  return calls / ((performance.now() - began) / 1_000);
}

const median = (numbers: readonly number[]) => quantile(numbers, 0.5);

// Others that compute take from the second worker first, so that the figure says little when this is not low.
const load = loadavg()[0]!;
const [one, several] = [await start(1), await start(workers)];
// In turns, so that what else the machine does falls on both; the first only warms the compilers.
for (let i = 0; i <= rounds; i++) {
  for (const side of [one, several]) {
    const callsPerSecond = await round(side);
    if (i > 0) side.callsPerSecond.push(callsPerSecond);
  }
}
const [alone, together] = [median(one.callsPerSecond), median(several.callsPerSecond)];
const cores = availableParallelism();
if (args.json) console.log(JSON.stringify({ rounds, ms, us, workers, cores, load, alone, together }));
else {
  console.log(
    `handlers that compute for ${us} us, ${cores} cores, load ${load.toFixed(1)} before: ${alone.toFixed(0)} calls/s with 1 worker, ` +
      `${together.toFixed(0)} with ${workers} (${(together / alone).toFixed(2)}x)`,
  );
}
for (const { child, client } of [one, several]) {
  await client.close();
  child.disconnect();
}
