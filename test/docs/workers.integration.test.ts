import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { root } from '../../scripts/root.js';
import { blocksOf, compiled, promisedBy } from './guide.js';

const file = join(root, 'docs/guide/workers.md');
const page = readFileSync(file, 'utf8');
const program = blocksOf(page).join('\n');

test('the blocks of docs/guide/workers.md compile, run, and print what they say', {
  timeout: 120_000,
}, async () => {
  using pages = compiled({ page: program });
  const { stdout } = await promisify(execFile)(process.execPath, [pages.program('page')], {
    // Where local() has its folder: others may run this page, too.
    env: { ...process.env, TMPDIR: pages.folder },
  });
  const promised = promisedBy(program);
  assert.ok(promised.length >= 2);
  assert.deepEqual(stdout.trimEnd().split('\n'), promised);
});

test('it links only to what exists, and names scripts that exist', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const [, script] of page.matchAll(/npm run ([a-z:]+)/g)) assert.ok(scripts[script!], script);
  for (const [, link] of page.matchAll(/\]\((?!https:)([^)]+)\)/g))
    assert.ok(existsSync(join(dirname(file), link!)), link);
});
