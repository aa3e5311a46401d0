import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Client } from 'lictor';
import { installNode, versionOf } from '../scripts/node-binary.js';
import { Inherit } from './inherit/service.js';

// What it costs a server that calls made in its handlers inherit its deadlines: `npm run bench:inherit -- --help`.

const HELP = `npm run bench:inherit -- [options]
  --rounds N  of each figure, whose median counts (7)
  --calls N   of each round (30000)
  --json      one line of JSON instead of text`;

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    calls: { type: 'string', default: '30000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (args.help) {
  console.log(HELP);
  process.exit();
}
const [rounds, calls] = (['rounds', 'calls'] as const).map((name) => {
  const value = Number(args[name]);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new RangeError(`--${name}: a whole number from 1, got ${args[name]}`);
}) as [number, number];

const IN_FLIGHT = 100;
const program = fileURLToPath(new URL('./inherit/server.js', import.meta.url));

type Side = { readonly child: ChildProcess; readonly client: Client; readonly usPerCall: number[] };

async function start(node: string, sides: 'one' | 'both'): Promise<Side> {
  const child = fork(program, [sides], { execPath: node });
  const [address] = (await once(child, 'message')) as [string];
  return { child, client: new Client({ target: address }), usPerCall: [] };
}

async function cpuUs(child: ChildProcess): Promise<number> {
  child.send('usage');
  const [{ user, system }] = (await once(child, 'message')) as [NodeJS.CpuUsage];
  return user + system;
}

async function round({ child, client }: Side): Promise<number> {
  const api = client.service(Inherit);
  const before = await cpuUs(child);
  let left = calls;
  const loop = async () => {
    while (left-- > 0) await api.call({});
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, loop));
  return ((await cpuUs(child)) - before) / calls;
}

const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;

const figures: object[] = [];
for (const node of [process.execPath, installNode(24)]) {
  const version = versionOf(node);
  const one = await start(node, 'one');
  const both = await start(node, 'both');
  // In turns, so that what else the machine does falls on both; the first only warms the compilers.
  for (let i = 0; i <= rounds; i++) {
    for (const side of [one, both]) {
      const us = await round(side);
      if (i > 0) side.usPerCall.push(us);
    }
  }
  const [without, inherited] = [median(one.usPerCall), median(both.usPerCall)];
  figures.push({ node: version, without, inherited });
  if (!args.json) {
    console.log(
      `node ${version}: ${without.toFixed(2)} us of CPU per call for a server whose process has no client, ` +
        `${inherited.toFixed(2)} us where deadlines are inherited (+${(inherited - without).toFixed(2)} us, ${(inherited / without).toFixed(2)}x)`,
    );
  }
  for (const { child, client } of [one, both]) {
    await client.close();
    child.kill();
  }
}
if (args.json) console.log(JSON.stringify({ rounds, calls, figures }));
