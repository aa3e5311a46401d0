import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installNode, versionOf } from '../scripts/node-binary.js';
import { quantile } from '../test/faults/figures.js';
import { cpuPerCall, type Side, startSide, stopSide } from './child-cpu.js';
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

const program = fileURLToPath(new URL('./inherit/server.js', import.meta.url));

function round(side: Side): Promise<number> {
  const api = side.client.service(Inherit);
  return cpuPerCall(side, calls, () => api.call({}));
}

const median = ({ usPerCall }: Side) => quantile(usPerCall, 0.5);

const figures: object[] = [];
for (const node of [process.execPath, installNode(24)]) {
  const version = versionOf(node);
  const one = await startSide(program, 'one', node);
  const both = await startSide(program, 'both', node);
  // In turns, so that what else the machine does falls on both; the first only warms the compilers.
  for (let i = 0; i <= rounds; i++) {
    for (const side of [one, both]) {
      const us = await round(side);
      if (i > 0) side.usPerCall.push(us);
    }
  }
  const [without, inherited] = [median(one), median(both)];
  figures.push({ node: version, without, inherited });
  if (!args.json) {
    console.log(
      `node ${version}: ${without.toFixed(2)} us of CPU per call for a server whose process has no client, ` +
        `${inherited.toFixed(2)} us where deadlines are inherited (+${(inherited - without).toFixed(2)} us, ${(inherited / without).toFixed(2)}x)`,
    );
  }
  await Promise.all([one, both].map(stopSide));
}
if (args.json) console.log(JSON.stringify({ rounds, calls, figures }));
