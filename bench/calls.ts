import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../scripts/root.js';
import { startConsul } from '../test/consul/agent.js';
import { createCertificate } from './calls/certificate.js';
import { chart } from './calls/chart.js';
import { findH2load } from './calls/h2load.js';
import { machine } from './calls/machine.js';
import { measure } from './calls/measure.js';
import { markdown, ratios, table } from './calls/report.js';

// How fast Lictor calls, beside others: `npm run bench:calls -- --help`.

const HELP = `npm run bench:calls -- [options]
  --only REGEX   only what matches, in texts like "lictor h2: unary at 100" and "moleculer: cold start"
  --rounds N     of each figure, whose median counts (5)
  --ms N         of each round (1000)
  --quick        one round of 200 ms
  --json         one line of JSON instead of tables
  --write        also write bench/results.md and bench/results.svg`;

const { values: args } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string' },
    ms: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (args.help) {
  console.log(HELP);
  process.exit();
}
const only = new RegExp(args.only);
const rounds = wholeNumber('rounds', args.quick ? 1 : 5);
const ms = wholeNumber('ms', args.quick ? 200 : 1_000);

await using agent = await startConsul();
const results = await measure({
  registry: agent.address,
  rounds,
  ms,
  certificate: orWhy('no certificate', createCertificate),
  h2load: await findH2load().catch((error: Error) => `no h2load: ${firstLine(error)}`),
  wants: (text) => only.test(text),
  say: (text) => process.stderr.write(`${text}\n`),
});
const about = machine(`npm run bench:calls -- ${process.argv.slice(2).join(' ')}`.trim(), { rounds, ms });
if (args.json) console.log(JSON.stringify({ machine: about, ...results }));
else console.log([table(results), ratios(results)].join('\n'));
if (args.write) {
  await writeFile(join(root, 'bench', 'results.md'), markdown(about, results));
  await writeFile(join(root, 'bench', 'results.svg'), chart(about, results));
}

function wholeNumber(name: 'rounds' | 'ms', normally: number): number {
  const value = Number(args[name] ?? normally);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new RangeError(`--${name}: a whole number from 1, got ${args[name]}`);
}

function orWhy<T>(what: string, make: () => T): T | string {
  try {
    return make();
  } catch (error) {
    return `${what}: ${firstLine(error as Error)}`;
  }
}

function firstLine(error: Error): string {
  return error.message.split('\n')[0]!.slice(0, 200);
}
