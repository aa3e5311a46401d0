import { parseArgs } from 'node:util';
import { wheel } from '../rpc/timer-wheel.js';
import { seeded } from '../test/seeded.js';
import { checkReleased, hostileConnection } from '../test/transport/h2/fuzz.js';

// Mutated frames against a server's connection, in process: `npm run fuzz:h2 -- --sequences 1000000 [--seed 1]`.
// A sequence that fails is named by its number; `--seed <its number> --sequences 1` runs it alone.

const { values } = parseArgs({
  options: { sequences: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
});
const [sequences, first] = [Number(values.sequences), Number(values.seed)];
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

const start = performance.now();
let longestMs = 0;
let ended = 0;
for (let at = first; at < first + sequences && failures < 10; at += BATCH) {
  const sides = [];
  for (current = at; current < Math.min(at + BATCH, first + sequences); current++) {
    try {
      const { side, longestMs: ms } = hostileConnection(seeded(current));
      // A pause of the whole process is no fault of the sequence: what is slow is slow again.
      if (ms > LONGEST_MS && hostileConnection(seeded(current)).longestMs > LONGEST_MS)
        fail(`it took ${ms} ms`);
      longestMs = Math.max(longestMs, ms);
      sides.push(side);
    } catch (reason) {
      fail(reason);
    }
  }
  // What the frames have set off runs now: handlers, flushes, iterations.
  await new Promise((resolve) => setImmediate(resolve));
  for (const side of sides) {
    if (side.connection.isClosed) ended++;
    try {
      checkReleased(side);
    } catch (reason) {
      fail(reason);
    }
  }
  await new Promise((resolve) => setImmediate(resolve));
}
if (wheel.size > 0) fail(`${wheel.size} deadlines are left`);

const seconds = (performance.now() - start) / 1_000;
const mebibytes = Math.round(process.memoryUsage().rss / 1_048_576);
console.log(
  `${sequences} sequences in ${seconds.toFixed(1)} s: ${failures} failures, ${ended} connections ended by the server, longest chunk ${longestMs.toFixed(1)} ms, RSS ${mebibytes} MiB`,
);
process.exitCode = failures > 0 ? 1 : 0;
