import { constants } from 'node:os';
import { join } from 'node:path';
import { type Example, listExamples } from './examples/list.js';
import { runExample } from './examples/run.js';
import { root } from './root.js';

// `npm run example -- <name>` runs one example, `npm run example -- all` every one.

// It has a script of its own and runs for long.
const NOT_IN_ALL = new Set(['demo']);

async function runOne(example: Example): Promise<number> {
  const outcome = await runExample(example);
  if (outcome.kind === 'passed') return 0;
  console.error(`${example.name}: ${outcome.reason}`);
  return outcome.code;
}

async function runAll(examples: readonly Example[]): Promise<number> {
  const summary: string[] = [];
  let failures = 0;
  for (const example of examples) {
    console.log(`--- ${example.name}`);
    const code = await runOne(example);
    if (code !== 0) failures++;
    summary.push(`${code === 0 ? 'passed' : 'FAILED'}  ${example.name}`);
  }
  console.log(
    `---\n${summary.join('\n')}\n${examples.length - failures} of ${examples.length} examples passed`,
  );
  return failures === 0 ? 0 : 1;
}

// Exiting ends the programs that run (see program.ts); without a handler a signal would leave them behind.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(128 + constants.signals[signal]));
}

const examples = listExamples(join(root, 'dist', 'examples'));
const name = process.argv[2];
const example = examples.find((candidate) => candidate.name === name);
if (example) {
  process.exitCode = await runOne(example);
} else if (name === 'all') {
  process.exitCode = await runAll(examples.filter((candidate) => !NOT_IN_ALL.has(candidate.name)));
} else {
  if (name !== undefined) console.error(`no example is named ${JSON.stringify(name)}`);
  console.log(
    `npm run example -- <name>, one of: ${['all', ...examples.map((known) => known.name)].join(', ')}`,
  );
  process.exitCode = name === undefined ? 0 : 1;
}
