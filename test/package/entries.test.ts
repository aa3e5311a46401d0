import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { RpcError } from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { scanImports } from '../../scripts/imports/scan.js';
import { root } from '../../scripts/root.js';

const { exports, imports, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, string | { types: string; default: string }>;
  imports: Record<string, Record<string, string>>;
  bin: Record<string, string>;
};
const targets = [...Object.values(exports), ...Object.values(imports)].flatMap((target) =>
  typeof target === 'string' ? [] : Object.values(target),
);
/** What bundlers look into for the packages that are loaded with their first use. */
const literal = 'dist/packages/literal.cjs';
const shared = readdirSync(join(root, 'dist', 'shared')).map((file) => `dist/shared/${file}`);
const entries = [...targets, ...Object.values(bin)].map((path) => posix.normalize(path));
const programs = [...entries, ...shared, literal].filter((path) => /\.c?js$/.test(path));

test('an entry point imports nothing of ours but what entry points share', () => {
  for (const path of programs) {
    for (const { specifier } of scanImports(readFileSync(join(root, path), 'utf8'))) {
      if (!specifier?.startsWith('.')) continue;
      const to = posix.join(posix.dirname(path), specifier);
      assert.ok([...shared, literal].includes(to), `${path} imports ${to}`);
    }
  }
});

test('the entry points share their classes', () => {
  assert.throws(() => fixed(['no address']), RpcError);
});

test('the package that is published has every entry point with its types and source map, and nothing twice', () => {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const [packed] = JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8' })) as [
    { files: { path: string }[] },
  ];
  const files = packed.files.map(({ path }) => path);
  for (const path of [...entries, ...programs.map((path) => `${path}.map`)]) {
    assert.ok(files.includes(path), `${path} is missing`);
  }
  assert.deepEqual(files.filter((path) => /\.c?js$/.test(path)).sort(), [...new Set(programs)].sort());
  assert.ok(!files.some((path) => /^dist\/(bench|examples|scripts|test)\//.test(path)), files.join('\n'));
});
