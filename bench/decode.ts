import { parseArgs } from 'node:util';
import type { DecodedLimit } from '../rpc/decoded-limit.js';
import { type DearMessage, dearMessages, packed, proto, text } from '../test/codec/dear-messages.js';
import { heapOf } from '../test/codec/heap.js';
import { aligned } from './table.js';

// What it costs to decode, and to look at a message before: `npm run bench:decode -- --help`.

const HELP = `npm run bench:decode -- [part of a name ...]
  large: for messages of 4 MiB the estimate, the heap once decoded and the time of both; and small ones
  --mib N   size of the large ones (4)
  --small   only the small ones
  --before  decode also what is refused by default: it shows what that would cost`;

const { values: args, positionals } = parseArgs({
  options: {
    mib: { type: 'string', default: '4' },
    small: { type: 'boolean', default: false },
    before: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
if (args.help) {
  console.log(HELP);
  process.exit();
}
const bytes = Number(args.mib) * 1_048_576;
if (!(bytes >= 1)) throw new RangeError(`--mib: a number over 0, got ${args.mib}`);

const MIB = 1_048_576;
/** More would end this process. */
const MOST_DECODED = 1_024 * MIB;
const DEFAULT: DecodedLimit = { bytes: 64 * MIB, side: 'server' };
const NO_LIMIT = Number.NaN; // Compares with nothing: the whole message is looked at.

const mib = (size: number) => (size / MIB).toFixed(1);
const ms = (time: number) => time.toFixed(1);

function timed(run: () => unknown): number {
  const before = performance.now();
  try {
    run();
  } catch {
    // Refused: how long that takes is asked.
  }
  return performance.now() - before;
}

const least = (times: readonly number[]) => Math.min(...times);
const repeat = (times: number, run: () => unknown) => Array.from({ length: times }, () => timed(run));

function largeRow({ name, way, make, taken }: DearMessage): string[] {
  const message = make(bytes);
  const first = timed(() => way.price(message, DEFAULT.bytes));
  const look = least(repeat(5, () => way.price(message, DEFAULT.bytes)));
  const outcome = repeat(3, () => way.codec.decodeWithin!(message, DEFAULT));
  const row = [
    name,
    taken ? 'taken' : 'refused',
    mib(way.price(message, NO_LIMIT)),
    ms(first),
    ms(look),
    ms(least(outcome)),
  ];
  const isTooMuch = way.price(message, NO_LIMIT) > MOST_DECODED;
  if (isTooMuch || (!taken && !args.before)) return [...row, '', ''];
  const heap = heapOf(() => way.codec.decode(message));
  const decode = least(repeat(3, () => way.codec.decode(message)));
  return [...row, mib(heap), ms(decode)];
}

/** Nanoseconds of each, the least of some rounds that take turns. */
function smallRow(name: string, way: typeof proto, message: unknown): string[] {
  const encoded = Buffer.from(way.codec.encode(message));
  const rounds = { plain: [] as number[], within: [] as number[] };
  const RUNS = 20_000;
  for (let round = 0; round < 20; round++) {
    rounds.plain.push(
      timed(() => {
        for (let i = 0; i < RUNS; i++) way.codec.decode(encoded);
      }),
    );
    rounds.within.push(
      timed(() => {
        for (let i = 0; i < RUNS; i++) way.codec.decodeWithin!(encoded, DEFAULT);
      }),
    );
  }
  const [plain, within] = [rounds.plain, rounds.within].map((times) => (least(times) / RUNS) * 1e6) as [
    number,
    number,
  ];
  return [
    name,
    String(encoded.length),
    plain.toFixed(0),
    within.toFixed(0),
    `${(((within - plain) / plain) * 100).toFixed(1)} %`,
  ];
}

const record = {
  name: 'a plain name',
  count: 300,
  price: 1.25,
  sold: true,
  note: 'and some words of a note',
};
const chosen = dearMessages.filter(
  ({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
);
if (!args.small) {
  const head = [
    'message',
    '',
    'estimate MiB',
    'first look ms',
    'look ms',
    'outcome ms',
    'heap MiB',
    'decode ms',
  ];
  console.log(aligned([head, ...chosen.map(largeRow)]));
}
console.log(
  aligned([
    ['small message', 'bytes', 'decode ns', 'with the check ns', 'more'],
    smallRow('protobuf: a record', proto, { records: [record] }),
    smallRow('protobuf: ten records', proto, { records: Array(10).fill(record) }),
    smallRow('msgpack: a record', packed, record),
    smallRow('json: a record', text, record),
    smallRow('json: ten records', text, Array(10).fill(record)),
  ]),
);
