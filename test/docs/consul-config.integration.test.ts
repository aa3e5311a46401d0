import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { root } from '../../scripts/root.js';
import { startConsul } from '../consul/agent.js';
import { blocksOf, compiled, promisedBy } from './guide.js';

const file = join(root, 'docs/guide/consul-config.md');
const page = readFileSync(file, 'utf8');
const program = blocksOf(page).join('\n');

test('the blocks of docs/guide/consul-config.md compile, run, and print what they say', {
  timeout: 120_000,
}, async () => {
  using pages = compiled({ page: program });
  await using agent = await startConsul();
  const { stdout } = await promisify(execFile)(process.execPath, [pages.program('page')], {
    env: { ...process.env, CONSUL_HTTP_ADDR: agent.address },
  });
  const promised = promisedBy(program);
  assert.ok(promised.length > 5);
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
