import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { consul } from '../../plugin/consul/consul.js';
import { root } from '../../scripts/root.js';

const file = join(root, 'docs/guide/consul.md');
const page = readFileSync(file, 'utf8');

test('docs/guide/consul.md tells of every option of the catalog', () => {
  // The error for an unknown option lists those that there are.
  const unknown = { mode: 'catalog', unknown: 1 } as { mode: 'catalog' };
  let text = '';
  assert.throws(
    () => consul(unknown),
    (error: Error) => {
      text = error.message;
      return true;
    },
  );
  const options = /only (.*), got "unknown"/.exec(text)![1]!.split(', ');
  assert.ok(options.length > 10);
  for (const option of options) assert.ok(page.includes(`\`${option}\``) || option === 'mode', option);
});

test('docs/guide/consul.md links only to what exists, and has nothing left to fill in', () => {
  for (const [, link] of page.matchAll(/\]\((?!https:)([^)]+)\)/g))
    assert.ok(existsSync(join(dirname(file), link!)), link);
  assert.ok(!/@@|TODO/.test(page));
});
