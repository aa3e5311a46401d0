import { parseArgs } from 'node:util';
import type { OverloadOptions } from 'lictor';
import { costUs } from './overload/cost.js';
import { type Overloaded, overloaded } from './overload/overloaded.js';
import type { Kind } from './overload/service.js';
import { aligned } from './table.js';

// What becomes of a server that is sent more than it can do: `npm run bench:overload -- --help`.

const HELP = `npm run bench:overload -- [options]
  --seconds N  of too many calls (60)
  --times N    what the server can do, sent (3)
  --json       one line of JSON instead of a table`;

const { values: args } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    times: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (args.help) {
  console.log(HELP);
  process.exit();
}
const [seconds, times] = (['seconds', 'times'] as const).map((name) => {
  const value = Number(args[name]);
  if (value >= 1 && value <= 3_600) return value;
  throw new RangeError(`--${name}: a number from 1 to 3600, got ${args[name]}`);
}) as [number, number];

const runs: readonly { kind: Kind; overload: OverloadOptions | false; what: string }[] = [
  { kind: 'cpu', overload: {}, what: 'default' },
  { kind: 'cpu', overload: false, what: 'off' },
  { kind: 'cpu after an await', overload: {}, what: 'default' },
  { kind: 'cpu and waits', overload: {}, what: 'default' },
  { kind: 'cpu and waits', overload: false, what: 'off' },
  { kind: 'pool', overload: { adapt: 'always' }, what: "adapt: 'always'" },
  { kind: 'pool', overload: false, what: 'off' },
];

const figures: (Overloaded & { kind: Kind; overload: string })[] = [];
for (const { kind, overload, what } of runs) {
  process.stderr.write(`${kind}, overload ${what}\n`);
  figures.push({ kind, overload: what, ...(await overloaded({ kind, overload, seconds, times })) });
}

process.stderr.write('what it costs\n');
const cost = await costUs();

if (args.json) console.log(JSON.stringify({ seconds, times, figures, cost }));
else {
  const ms = (number: number) => (Number.isNaN(number) ? '' : number.toFixed(1));
  console.log(
    aligned([
      [
        'limited by',
        'overload',
        'capacity/s',
        'goodput',
        'usual p99 ms',
        'p99 ms',
        'refused',
        'p50 ms',
        'p99 ms',
        'failed',
        'recovered ms',
        'then',
      ],
      ...figures.map((one) => [
        one.kind,
        one.overload,
        one.capacity.toFixed(0),
        `${((100 * one.goodput) / one.capacity).toFixed(0)} %`,
        ms(one.usualP99Ms),
        ms(one.answeredP99Ms),
        String(one.refused),
        ms(one.refusedP50Ms),
        ms(one.refusedP99Ms),
        String(one.failed),
        one.recoveredMs.toFixed(0),
        `${(100 * one.capacityAfter).toFixed(0)} %`,
      ]),
    ]),
  );
  console.log(
    `\nwhile nothing waits: ${cost.with.toFixed(2)} us of the server's CPU per call, ${cost.without.toFixed(2)} with overload: false (${(cost.with / cost.without).toFixed(2)}x)`,
  );
}
