import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { root } from '../../scripts/root.js';
import { createAuthority } from '../transport/certificates.js';
import { blocksOf, compiled, promisedBy } from './guide.js';

const file = join(root, 'docs/guide/tls.md');
const page = readFileSync(file, 'utf8');
const program = blocksOf(page).join('\n');

test('the blocks of docs/guide/tls.md compile, run, and print what they say', {
  timeout: 120_000,
}, async () => {
  using pages = compiled({ page: program });
  using authority = createAuthority();
  const folder = join(pages.folder, 'certificates');
  mkdirSync(folder);
  writeFileSync(join(folder, 'ca.crt'), authority.cert);
  for (const name of ['server', 'renewed', 'billing']) {
    const { cert, key } = authority.issue(name, ['IP:127.0.0.1']);
    writeFileSync(join(folder, `${name}.crt`), cert);
    writeFileSync(join(folder, `${name}.key`), key);
  }
  const { stdout } = await promisify(execFile)(process.execPath, [pages.program('page')], {
    cwd: pages.folder,
  });
  const promised = promisedBy(program);
  assert.ok(promised.length >= 3);
  assert.deepEqual(stdout.trimEnd().split('\n'), promised);
});

test('docs/guide/tls.md links only to what exists', () => {
  for (const [, link] of page.matchAll(/\]\((?!https:)([^)]+)\)/g))
    assert.ok(existsSync(join(dirname(file), link!)), link);
});
