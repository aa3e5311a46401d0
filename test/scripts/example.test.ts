import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { listExamples } from '../../scripts/examples/list.js';
import { type RunOptions, runExample } from '../../scripts/examples/run.js';

const SERVER = `
  process.on('SIGTERM', () => { console.log('bye'); process.exit(0); });
  setInterval(() => {}, 1000);
  console.log('listening on nothing');`;
const NEVER = 'setInterval(() => {}, 1000);';

describe('an example', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lictor-'));
  after(() => rm(folder, { recursive: true }));

  let count = 0;
  const run = async (files: Record<string, string>, options: RunOptions = {}) => {
    const examples = join(folder, `${++count}`);
    await mkdir(join(examples, 'it'), { recursive: true });
    for (const [name, source] of Object.entries(files)) {
      await writeFile(join(examples, 'it', `${name}.js`), source);
    }
    const lines: string[] = [];
    const [example] = listExamples(examples);
    const outcome = await runExample(example!, { print: (line) => lines.push(line), ...options });
    return { outcome, lines };
  };

  test('with a main program is that program', async () => {
    const { outcome, lines } = await run({ main: `console.log('one'); console.error('two')` });
    assert.deepEqual(outcome, { kind: 'passed' });
    assert.deepEqual(lines.sort(), ['main | one', 'main | two']);
  });

  test('with a server and a client runs both, and ends the server', async () => {
    const { outcome, lines } = await run({ server: SERVER, client: `console.log('hello')` });
    assert.deepEqual(outcome, { kind: 'passed' });
    assert.deepEqual(lines, ['server | listening on nothing', 'client | hello', 'server | bye']);
  });

  test("fails with its client's exit code", async () => {
    const { outcome } = await run({ server: SERVER, client: 'process.exit(3)' });
    assert.deepEqual(outcome, { kind: 'failed', code: 3, reason: 'the client ended with exit code 3' });
  });

  test('fails when its server does not end well', async () => {
    for (const [end, shown] of [
      [`process.on('SIGTERM', () => process.exit(4));`, 'exit code 4'],
      ['', 'signal SIGTERM'],
    ]) {
      const { outcome } = await run({ server: `${end} ${NEVER} console.log('listening')`, client: '' });
      assert.deepEqual(outcome, { kind: 'failed', code: 1, reason: `the server ended with ${shown}` });
    }
  });

  test('fails when its server ends before it listens', async () => {
    const { outcome, lines } = await run({
      server: `console.log('not listening')`,
      client: `console.log('never')`,
    });
    assert.equal(outcome.kind, 'failed');
    assert.match(
      outcome.kind === 'failed' ? outcome.reason : '',
      /ended \(exit code 0\) before it printed a line/,
    );
    assert.deepEqual(lines, ['server | not listening']);
  });

  test('fails when it takes too long, and says what was started', async () => {
    const { outcome } = await run({ server: NEVER, client: '' }, { timeoutMs: 100 });
    const reason = 'not done within 0.1 s; started: server';
    assert.deepEqual(outcome, { kind: 'failed', code: 1, reason });
  });

  test('leaves no process behind, not even what its programs have started', async () => {
    // The grandchild holds a connection: it closes when the process is gone.
    const witness = createServer().listen(0, '127.0.0.1');
    const closed = new Promise<void>((resolve) => {
      witness.once('connection', (socket) =>
        socket
          .on('error', () => {})
          .once('close', () => resolve())
          .resume(),
      );
    });
    await new Promise((resolve) => witness.once('listening', resolve));
    const { port } = witness.address() as { port: number };
    const grandchild = `require('net').connect(${port}, '127.0.0.1', () => process.send('up'))`;
    const main = `import { spawn } from 'node:child_process';
      const child = spawn(process.execPath, ['-e', ${JSON.stringify(grandchild)}], { stdio: ['ignore', 1, 2, 'ipc'] });
      child.once('message', () => process.exit(0));`;
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    const { outcome } = await run({ main });
    assert.deepEqual(outcome, { kind: 'passed' });
    await closed;
    witness.close();
  });
});

test('only folders that can be run are examples', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lictor-'));
  for (const file of ['b/server.js', 'b/client.js', 'a/main.js', 'gen/types.js', 'half/server.js']) {
    await mkdir(join(folder, file, '..'), { recursive: true });
    await writeFile(join(folder, file), '');
  }
  assert.deepEqual(
    listExamples(folder).map(({ name, kind }) => `${name} ${kind}`),
    ['a main', 'b pair'],
  );
  assert.deepEqual(listExamples(join(folder, 'missing')), []);
  await rm(folder, { recursive: true });
});
