import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../scripts/root.js';
import { startConsul } from '../test/consul/agent.js';
import { checkBuild } from './build.js';
import { measureAgainst } from './calls/against.js';
import { againstTable } from './calls/against-report.js';
import { createCertificate } from './calls/certificate.js';
import { chart } from './calls/chart.js';
import { findH2load } from './calls/h2load.js';
import { machine } from './calls/machine.js';
import { measure } from './calls/measure.js';
import { markdown, ratios, table } from './calls/report.js';

// How fast Lictor calls, beside others: `npm run bench:calls -- --help`.

const HELP = `npm run bench:calls -- [options]
  --only REGEX   only what matches, in texts like "lictor h2: unary at 100" and "moleculer: cold start"
  --rounds N     of each figure, whose median counts (5; 9 with --against)
  --ms N         of each round (1000; 500 with --against)
  --quick        one round of 200 ms
  --json         one line of JSON instead of tables
  --write        also write bench/results.md and bench/results.svg
  --against DIR  instead of other stacks, the Lictor built in DIR beside this one: CPU per call of Lictor's own stacks

With --against, DIR is a checkout after "npm ci && npm run build", or an installed package. Both builds run at the same
time, with this benchmark's code, and work in turn in pieces of 50 ms: old new new old, as often as a round lasts. Each
round has processes of its own, and gives one ratio: that of the lower quarters of the pieces, since what else runs on
the machine only adds to them. First this build runs against itself (A/A). "new to old" is the median of the ratios, and
± its standard error. The spread of A/A is the larger of how far the median of its ratios is from 1, and that median's
standard error. A row is slower when it is so by more than 3 %, by more than twice the spread, and by more than twice ±;
the exit code is 1 then. All rows take about 20 minutes.`;

const { values: args } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string' },
    ms: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    against: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (args.help) {
  console.log(HELP);
  process.exit();
}
if (args.against !== undefined && args.write) throw new TypeError('--write: not with --against');
const against = args.against === undefined ? undefined : checkedBuild(args.against);
const only = new RegExp(args.only);
const rounds = wholeNumber('rounds', args.quick ? 1 : against ? 9 : 5);
const ms = wholeNumber('ms', args.quick ? 200 : against ? 500 : 1_000);

await using agent = await startConsul();
const plan = {
  registry: agent.address,
  rounds,
  ms,
  certificate: orWhy('no certificate', createCertificate),
  h2load: await findH2load().catch((error: Error) => `no h2load: ${firstLine(error)}`),
  wants: (text: string) => only.test(text),
  say: (text: string) => process.stderr.write(`${text}\n`),
};
const about = machine(`npm run bench:calls -- ${process.argv.slice(2).join(' ')}`.trim(), { rounds, ms });
if (against) {
  const comparison = await measureAgainst(plan, { old: against, new: root });
  if (comparison.rows.length + comparison.memory.length === 0)
    throw new Error(`--only: nothing matches ${only}`);
  console.log(args.json ? JSON.stringify({ machine: about, ...comparison }) : againstTable(comparison));
  if (comparison.rows.some(({ verdict }) => verdict === 'slower')) process.exitCode = 1;
} else {
  const results = await measure(plan);
  if (args.json) console.log(JSON.stringify({ machine: about, ...results }));
  else console.log([table(results), ratios(results)].join('\n'));
  if (args.write) {
    await writeFile(join(root, 'bench', 'results.md'), markdown(about, results));
    await writeFile(join(root, 'bench', 'results.svg'), chart(about, results));
  }
}

function checkedBuild(folder: string): string {
  try {
    return checkBuild(folder);
  } catch (error) {
    console.error(`--against: ${(error as Error).message}`);
    process.exit(2); // 1 is for a row that is slower.
  }
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
