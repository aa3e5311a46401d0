import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { root } from '../../scripts/root.js';
import { batches, chooseTests, readArguments } from '../../scripts/test-files.js';

const paths = [
  'dist/test/selector/hash.test.js',
  'dist/test/client/retry.test.js',
  'dist/test/plugin/consul.integration.test.js',
  'dist/test/selector/hash.test.d.ts',
  'dist/test/selector/hash.test.js.map',
  'dist/test/contract/balancer.js',
  'dist/test/faults/agent.faults.test.js',
  'dist/test/faults/days.long.faults.test.js',
];
const choose = (...args: string[]) => chooseTests(paths, readArguments(args));

describe('which tests are run', () => {
  test('all of them, sorted, and only tests', () => {
    assert.deepEqual(choose(), [paths[1], paths[2], paths[0]]);
  });
  test('with --unit those that need no outside program', () => {
    assert.deepEqual(choose('--unit'), [paths[1], paths[0]]);
  });
  test('with --faults those that take minutes, which are left out otherwise', () => {
    assert.deepEqual(choose('--faults'), ['dist/test/faults/agent.faults.test.js']);
    assert.deepEqual(choose('agent'), []);
  });
  test('with --long those that take many minutes, which are left out otherwise', () => {
    assert.deepEqual(choose('--faults', '--long'), ['dist/test/faults/days.long.faults.test.js']);
    assert.deepEqual(choose('--faults', 'days'), []);
  });
  test('those whose figures others would spoil run after the others, with nothing beside them', () => {
    assert.deepEqual(batches(['a.test.js', 'b.alone.faults.test.js', 'c.test.js']), [
      { files: ['a.test.js', 'c.test.js'], alone: false },
      { files: ['b.alone.faults.test.js'], alone: true },
    ]);
    assert.deepEqual(batches(['a.test.js']), [{ files: ['a.test.js'], alone: false }]);
  });
  test('those with any of the parts in their names, of the source file too', () => {
    assert.deepEqual(choose('client/', 'hash.test.ts'), [paths[1], paths[0]]);
    assert.deepEqual(choose('consul', '--unit'), []);
  });
  test('an unknown option is refused', () => {
    assert.throws(() => choose('--watch'), { name: 'RangeError', message: /--watch/ });
  });
});

describe('the test script', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lictor-'));
  after(() => rm(folder, { recursive: true }));
  const run = (args: string[], env: Record<string, string> = {}) =>
    new Promise<{ code: number | undefined; output: string }>((resolve) => {
      const script = join(root, 'dist', 'scripts', 'test.js');
      const child = execFile(
        process.execPath,
        [script, ...args],
        { env: { ...process.env, ...env } },
        (_, stdout, stderr) => resolve({ code: child.exitCode ?? undefined, output: stdout + stderr }),
      );
    });

  test('fails with a message when no file matches', async () => {
    const { code, output } = await run(['nothing-has-this-name']);
    assert.equal(code, 1);
    assert.match(output, /no test file with nothing-has-this-name in its name/);
  });

  test('runs the node binary that LICTOR_NODE names, and returns its exit code', async () => {
    const node = join(folder, 'node');
    await writeFile(node, '#!/bin/sh\necho "$NODE_OPTIONS" "$@"\nexit 7\n');
    await chmod(node, 0o755);
    const { code, output } = await run(['hash.test'], { LICTOR_NODE: node, NODE_OPTIONS: '--no-warnings' });
    assert.equal(code, 7);
    assert.match(
      output,
      /^--no-warnings --unhandled-rejections=strict --test .*dist\/test\/selector\/hash\.test\.js$/m,
    );
  });

  const runBoth = async (script: string) => {
    const node = join(folder, 'node');
    await writeFile(node, `#!/bin/sh\n${script}\n`);
    await chmod(node, 0o755);
    return run(['--faults', 'overload.alone', 'wire.faults'], { LICTOR_NODE: node });
  };

  test('runs those that run alone after the others, and fails when either do', async () => {
    const { code, output } = await runBoth('echo "ran $@"; case "$*" in *alone*) exit 0;; *) exit 7;; esac');
    assert.equal(code, 7);
    assert.deepEqual(output.match(/--test-concurrency=\d+|[a-z.]+\.faults\.test\.js/g)?.slice(1), [
      'wire.faults.test.js',
      '--test-concurrency=1',
      'overload.alone.faults.test.js',
    ]);
    assert.match(output, /some before/);
  });

  test('fails when it is stopped between the two', async () => {
    const { code, output } = await runBoth("trap '' TERM; kill -TERM $PPID; sleep 0.2; echo ran; exit 0");
    assert.equal(code, 1);
    assert.equal(output.match(/ran/g)?.length, 1);
  });

  test('fails when the binary cannot be run', async () => {
    const { code, output } = await run(['hash.test'], { LICTOR_NODE: join(folder, 'missing') });
    assert.equal(code, 1);
    assert.match(output, /cannot run .*missing/);
  });
});
