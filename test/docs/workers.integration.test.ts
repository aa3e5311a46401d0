import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { root } from '../../scripts/root.js';

const file = join(root, 'docs/guide/workers.md');
const page = readFileSync(file, 'utf8');
const program = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!).join('\n');

test('the blocks of docs/guide/workers.md compile, run, and print what they say', {
  timeout: 120_000,
}, async () => {
  // Inside the project, so that 'lictor' is found as a package by its own name.
  mkdirSync(join(root, '.cache'), { recursive: true });
  const folder = mkdtempSync(join(root, '.cache/guide-'));
  try {
    writeFileSync(join(folder, 'page.ts'), program);
    const config = {
      extends: '../../tsconfig.json',
      compilerOptions: { rootDir: '.', outDir: 'out' },
      include: ['*.ts'],
      exclude: ['out'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    execFileSync(process.execPath, [tsc, '-p', folder], { stdio: ['ignore', 2, 2] });
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'out', 'page.js')], {
      // Where local() has its folder: others may run this page, too.
      env: { ...process.env, TMPDIR: folder },
    });
    const promised = [...program.matchAll(/\/\/ prints: (.*)/g)].map((match) => match[1]!);
    assert.ok(promised.length >= 2);
    assert.deepEqual(stdout.trimEnd().split('\n'), promised);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('it links only to what exists, and names scripts that exist', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const [, script] of page.matchAll(/npm run ([a-z:]+)/g)) assert.ok(scripts[script!], script);
  for (const [, link] of page.matchAll(/\]\((?!https:)([^)]+)\)/g))
    assert.ok(existsSync(join(dirname(file), link!)), link);
});
