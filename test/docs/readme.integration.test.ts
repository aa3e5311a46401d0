import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { root } from '../../scripts/root.js';
import { startConsul } from '../consul/agent.js';

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);
const scripts = (
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
).scripts;

describe('the README', () => {
  let folder: string;

  before(() => {
    // Inside the project, so that 'lictor' is found as a package by its own name.
    mkdirSync(join(root, '.cache'), { recursive: true });
    folder = mkdtempSync(join(root, '.cache/readme-'));
    const proto = join(root, 'examples/helloworld/helloworld.proto');
    execFileSync(process.execPath, [
      join(root, 'dist/cli/main.js'),
      'generate',
      proto,
      '--out',
      join(folder, 'gen'),
    ]);
    const [first, second] = blocks;
    writeFileSync(join(folder, 'first.ts'), first!);
    // The second block goes on where the first one ends, before it closes.
    const opening = first!
      .replace(/await client\.close[\s\S]*/, '')
      .replace('import {', 'import { RpcError, Status,');
    writeFileSync(
      join(folder, 'second.ts'),
      `${opening}${second}await client.close();\nawait server.close();\n`,
    );
    const config = {
      extends: '../../tsconfig.json',
      compilerOptions: { rootDir: '.', outDir: 'out' },
      include: ['**/*.ts'],
      exclude: ['out'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    execFileSync(process.execPath, [tsc, '-p', folder], { stdio: ['ignore', 2, 2] });
  });
  after(() => rmSync(folder, { recursive: true }));

  test('has two blocks of TypeScript', () => assert.equal(blocks.length, 2));

  for (const name of ['first', 'second']) {
    test(`its ${name} block compiles under strict settings and greets through Consul`, {
      timeout: 60_000,
    }, async () => {
      await using agent = await startConsul();
      const env = { ...process.env, CONSUL_HTTP_ADDR: agent.address };
      const output = execFileSync(process.execPath, [join(folder, 'out', `${name}.js`)], {
        env,
        encoding: 'utf8',
      });
      assert.match(output, /^hello lictor\n/);
    });
  }

  test('names only scripts and files that exist', () => {
    for (const [, script] of readme.matchAll(/npm run ([a-z:]+)/g))
      assert.ok(scripts[script!], `npm run ${script}`);
    for (const [, file] of readme.matchAll(/\]\(([^)]+)\)/g)) assert.ok(existsSync(join(root, file!)), file);
    const examples = /each run by[^:]*: ([^.]*)\./.exec(readme.replaceAll('\n', ' '))![1]!;
    for (const [, name] of examples.matchAll(/`([a-z-]+)`/g)) {
      assert.ok(existsSync(join(root, 'examples', name!)), `example ${name}`);
    }
  });

  test('is under 150 lines', () => assert.ok(readme.split('\n').length < 150));
});
