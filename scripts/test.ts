import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, sep } from 'node:path';
import { root } from './root.js';
import { batches, chooseTests, readArguments, type TestChoice } from './test-files.js';

// Runs the compiled tests: `node dist/scripts/test.js [--unit | --faults | --long] [part of a file name ...]`.
// LICTOR_NODE names another node binary to run them with.

const tests = join('dist', 'test');
const MINUTE_MS = 60_000;

async function run(choice: TestChoice): Promise<void> {
  const all = existsSync(join(root, tests)) ? readdirSync(join(root, tests), { recursive: true }) : [];
  const files = chooseTests(
    all.map((file) => join(tests, String(file)).split(sep).join('/')),
    choice,
  );
  if (files.length === 0) {
    const wanted = choice.filters.length > 0 ? ` with ${choice.filters.join(' or ')} in its name` : '';
    console.error(
      `no${choice.unit ? ' unit' : choice.long ? ' long' : choice.faults ? ' faults' : ''} test file${wanted} under ${tests}; has 'npm run build' run?`,
    );
    process.exitCode = 1;
    return;
  }
  const limits = choice.long
    ? { testMs: 60 * MINUTE_MS, allMs: 180 * MINUTE_MS }
    : { testMs: 400_000, allMs: 15 * MINUTE_MS };
  const node = process.env.LICTOR_NODE || process.execPath;
  const options = `${process.env.NODE_OPTIONS ?? ''} --unhandled-rejections=strict`.trim();
  let child: ChildProcess | undefined;
  let stopped = false;
  const stop = (signal: NodeJS.Signals) => {
    stopped = true;
    child?.kill(signal);
  };
  // A failed test may leave behind what keeps its process alive; that must not look like a run that goes on.
  setTimeout(() => {
    console.error(`the tests took more than ${limits.allMs / MINUTE_MS} minutes, and are ended`);
    stop('SIGTERM');
  }, limits.allMs).unref();
  // A terminal's Ctrl-C reaches the child by itself; what is sent to this process alone does not.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  for (const batch of batches(files)) {
    if (stopped) {
      process.exitCode ||= 1;
      break;
    }
    const flags = [
      '--enable-source-maps',
      '--test-reporter=spec',
      `--test-concurrency=${batch.alone ? 1 : availableParallelism()}`,
      // Of a test, and of a file: what hangs is to fail and not to hold up all others.
      `--test-timeout=${limits.testMs}`,
    ];
    child = spawn(node, ['--test', ...flags, ...batch.files], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, NODE_OPTIONS: options },
    });
    try {
      const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
      if (signal) console.error(`the tests were ended by ${signal}`);
      process.exitCode ||= code ?? 1;
    } catch (error) {
      console.error(`cannot run ${node}: ${(error as Error).message}`);
      process.exitCode = 1;
      break;
    }
    if (batch.alone && process.exitCode)
      console.error('tests have failed; perhaps not these, but some before');
  }
}

try {
  await run(readArguments(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof RangeError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
