import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkBuild, loadBuild } from '../../bench/build.js';
import { root } from '../../scripts/root.js';

const folder = mkdtempSync(join(tmpdir(), 'lictor-build-'));
after(() => rmSync(folder, { recursive: true }));
const entries = { '.': { default: './index.js' }, './plugin/consul': { default: './consul.js' } };

function checkWith(about: unknown): string {
  writeFileSync(join(folder, 'package.json'), JSON.stringify(about));
  return checkBuild(folder);
}

test('this project is a build, and loads', async () => {
  assert.equal(checkBuild(root), root.replace(/\/$/, ''));
  const { Client, consul } = await loadBuild(root);
  assert.equal(typeof Client, 'function');
  assert.equal(typeof consul, 'function');
});

test('a folder that holds no built Lictor is an error that says what is missing', () => {
  assert.throws(() => checkBuild(join(folder, 'none')), /none is no folder of Lictor: ENOENT/);
  assert.throws(() => checkWith(null), /package\.json is of no package, not of lictor/);
  assert.throws(() => checkWith({ name: 'other' }), /package\.json is of other, not of lictor/);
  assert.throws(() => checkWith({ name: 'lictor' }), /has no entry point "\."/);
  const lictor = { name: 'lictor', exports: entries };
  assert.throws(() => checkWith(lictor), /is not built: .*index\.js is missing; run "npm run build" there/);
  for (const file of ['index.js', 'consul.js']) writeFileSync(join(folder, file), '');
  assert.throws(
    () => checkWith({ ...lictor, dependencies: { 'no-such-package': '1' } }),
    /has no package no-such-package; run "npm ci" there/,
  );
  assert.equal(checkWith(lictor), folder);
});
