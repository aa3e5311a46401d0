import { parseArgs } from 'node:util';
import { wheel } from '../rpc/timer-wheel.js';
import { seeded } from '../test/seeded.js';
import { checkReleased, hostileConnection } from '../test/transport/h2/fuzz.js';
import { checkEnded, hangUp, hostileServer } from '../test/transport/h2/fuzz-client.js';

// Mutated frames against one end of a connection, in process:
// `npm run fuzz:h2 -- --sequences 1000000 [--side server|client] [--seed 1]`.
// A sequence that fails is named by its number; `--seed <its number> --sequences 1` runs it alone.

/** One connection that has been given its frames. */
type Tried = {
  readonly longestMs: number;
  /** Whether the frames have ended it. */
  readonly isClosed: boolean;
  /** Called a turn later, as the next one is a turn after it. Both throw for what is held back. */
  end(): void;
  check(): void;
};

const sides: Readonly<Record<string, (seed: number) => Tried>> = {
  server(seed) {
    const { side, longestMs } = hostileConnection(seeded(seed));
    return {
      longestMs,
      get isClosed() {
        return side.connection.isClosed;
      },
      end: () => checkReleased(side),
      check: () => {},
    };
  },
  client(seed) {
    const tried = hostileServer(seeded(seed));
    return {
      longestMs: tried.longestMs,
      get isClosed() {
        return tried.side.connection.isClosed;
      },
      end: () => hangUp(tried),
      check: () => checkEnded(tried),
    };
  },
};

const { values } = parseArgs({
  options: {
    sequences: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    side: { type: 'string', default: 'server' },
  },
});
const [sequences, first] = [Number(values.sequences), Number(values.seed)];
const attempt = sides[values.side];
if (!attempt) throw new RangeError(`--side ${values.side}: wanted ${Object.keys(sides).join(' or ')}`);
const BATCH = 50;
const LONGEST_MS = 100;

let failures = 0;
let current = first;
const fail = (reason: unknown) => {
  failures++;
  console.error(`sequence ${current}:`, reason);
};
process.on('unhandledRejection', fail);
process.on('uncaughtException', fail);

const turn = () => new Promise((resolve) => setImmediate(resolve));
const start = performance.now();
let longestMs = 0;
let ended = 0;
for (let at = first; at < first + sequences && failures < 10; at += BATCH) {
  const batch: [seed: number, tried: Tried][] = [];
  for (current = at; current < Math.min(at + BATCH, first + sequences); current++) {
    try {
      const tried = attempt(current);
      // A pause of the whole process is no fault of the sequence: what is slow is slow again.
      if (tried.longestMs > LONGEST_MS && attempt(current).longestMs > LONGEST_MS)
        fail(`it took ${tried.longestMs} ms`);
      longestMs = Math.max(longestMs, tried.longestMs);
      batch.push([current, tried]);
    } catch (reason) {
      fail(reason);
    }
  }
  // What the frames have set off runs now: handlers, flushes, iterations.
  await turn();
  for (const [, { isClosed }] of batch) if (isClosed) ended++;
  for (const step of ['end', 'check'] as const) {
    for (const [seed, tried] of batch) {
      current = seed;
      try {
        tried[step]();
      } catch (reason) {
        fail(reason);
      }
    }
    await turn();
  }
}
if (wheel.size > 0) fail(`${wheel.size} deadlines are left`);

const seconds = (performance.now() - start) / 1_000;
const mebibytes = Math.round(process.memoryUsage().rss / 1_048_576);
console.log(
  `${sequences} sequences in ${seconds.toFixed(1)} s: ${failures} failures, ${ended} connections ended by the ${values.side}, longest chunk ${longestMs.toFixed(1)} ms, RSS ${mebibytes} MiB`,
);
process.exitCode = failures > 0 ? 1 : 0;
