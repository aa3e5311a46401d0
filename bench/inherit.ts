import { parseArgs } from 'node:util';
import { installNode, versionOf } from '../scripts/node-binary.js';
import { root } from '../scripts/root.js';
import { checkBuild } from './build.js';
import { type Figure, measure, type Ratio } from './inherit/measure.js';
import { aligned, type Cells } from './table.js';

// What a server pays for AsyncLocalStorages, its program's and Lictor's: `npm run bench:inherit -- --help`.

const HELP = `npm run bench:inherit -- [options]
  --rounds N     of each figure, whose median counts (9)
  --calls N      of each round (30000)
  --against DIR  a Lictor that is built in DIR beside this one, as with bench:calls
  --json         one line of JSON instead of text

CPU per unary call of a server's process with 100 calls in flight: without an AsyncLocalStorage, with one of the program's
in which each handler runs, with deadlines that are inherited since the process has a client, too, and with both; on
this Node.js and on Node.js 24. Ratios are medians of the rounds' ratios, with ± their standard error.`;

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    calls: { type: 'string', default: '30000' },
    against: { type: 'string' },
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
const old = args.against === undefined ? undefined : checkBuild(args.against);

const results: { node: string | undefined; figures: Figure[] }[] = [];
for (const node of [process.execPath, installNode(24)]) {
  const figures = await measure({ node, rounds, calls, build: root, old });
  results.push({ node: versionOf(node), figures });
  if (!args.json) console.log(`node ${versionOf(node)}\n${table(figures)}\n`);
}
if (args.json) console.log(JSON.stringify({ rounds, calls, results }));

function table(figures: readonly Figure[]): string {
  const times = ({ median, error }: Ratio) => [`${median.toFixed(2)} x`, error.toFixed(2)];
  const head = ['CPU of the server per call', 'µs', 'to the first', '±'];
  const rows = figures.map(({ state, us, ratio, old }): Cells => {
    const cells = [state, us.toFixed(2), ...times(ratio)];
    return old ? [...cells, old.us.toFixed(2), ...times(old.newToOld)] : cells;
  });
  return aligned([old === undefined ? head : [...head, 'old µs', 'new to old', '±'], ...rows]);
}
