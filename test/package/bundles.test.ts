import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import commonjsPlugin from '@rollup/plugin-commonjs';
import jsonPlugin from '@rollup/plugin-json';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { type BuildOptions, build } from 'esbuild';
import { rollup } from 'rollup';
import { root } from '../../scripts/root.js';

// Their types say CommonJS, of which the default would be a property.
const commonjs = commonjsPlugin as unknown as typeof commonjsPlugin.default;
const json = jsonPlugin as unknown as typeof jsonPlugin.default;

const run = promisify(execFile);
const PROTO = join(root, 'test', 'package', 'bundle');
const PROGRAM = join('test', 'package', 'bundle', 'program.ts');
const RIGHT = [
  'one RpcError',
  ...['h2', 'grpc-js'].flatMap((transport) =>
    ['protobuf', 'json', 'msgpack'].map((name) => `called over ${transport} as ${name}`),
  ),
  'asked Consul',
  'global require: false',
].join('\n');

const folder = mkdtempSync(join(tmpdir(), 'lictor-bundles-'));
after(() => rmSync(folder, { recursive: true }));
const project = join(folder, 'project');
const program = join(project, 'program.ts');

/** A project with the packages that users have, and the package as it is published. */
before(() => {
  const modules = join(project, 'node_modules');
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
  });
  mkdirSync(join(modules, 'lictor'), { recursive: true });
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  execFileSync('tar', ['-xf', join(folder, filename), '--strip-components=1', '-C', join(modules, 'lictor')]);
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  cpSync(join(root, PROGRAM), program);
});

let bundles = 0;

/** What a bundle says in a folder of its own, without packages. */
async function said(code: string, ending: '.cjs' | '.mjs'): Promise<string> {
  const own = mkdtempSync(join(folder, `${bundles++}-`));
  const file = join(own, `bundle${ending}`);
  writeFileSync(file, code);
  const { stdout, stderr } = await run(process.execPath, [file, PROTO], { cwd: own, timeout: 60_000 });
  return (stderr + stdout).trim();
}

async function byEsbuild(options: BuildOptions): Promise<string> {
  const { outputFiles, warnings } = await build({
    entryPoints: [program],
    bundle: true,
    platform: 'node',
    write: false,
    logLevel: 'silent',
    ...options,
  });
  assert.deepEqual(warnings, []);
  return outputFiles![0]!.text;
}

describe('a program in one file, away from every package, runs', () => {
  for (const [format, ending] of [
    ['cjs', '.cjs'],
    ['esm', '.mjs'],
  ] as const) {
    for (const minify of [false, true]) {
      test(`made by esbuild as ${format}${minify ? ', minified' : ''}`, async () => {
        assert.equal(await said(await byEsbuild({ format, minify }), ending), RIGHT);
      });
    }
  }
  test('made by rollup as cjs and as esm', async () => {
    const input = join(project, 'program.mjs');
    writeFileSync(input, await byEsbuild({ format: 'esm', bundle: false }));
    const made = await rollup({
      input,
      plugins: [nodeResolve({ preferBuiltins: true }), commonjs(), json()],
      onLog: () => {},
    });
    for (const format of ['cjs', 'esm'] as const) {
      const { output } = await made.generate({ format, inlineDynamicImports: true });
      assert.equal(await said(output[0].code, format === 'cjs' ? '.cjs' : '.mjs'), RIGHT);
    }
  });
});

test('so does one that is made with conditions of its own', async () => {
  assert.equal(await said(await byEsbuild({ format: 'esm', conditions: ['other'] }), '.mjs'), RIGHT);
});

test('Node.js without addons takes what bundlers take, and runs too', async () => {
  const file = join(project, 'plain.mjs');
  writeFileSync(file, await byEsbuild({ format: 'esm', bundle: false }));
  const { stdout } = await run(process.execPath, ['--no-addons', file, PROTO], { cwd: project });
  assert.equal(stdout.trim(), RIGHT);
});

describe('a program in one file, beside the packages, runs', () => {
  for (const [name, options] of [
    ['that leaves out all packages', { packages: 'external' }],
    ['that leaves out grpc-js and protobufjs', { external: ['@grpc/grpc-js', 'protobufjs'] }],
  ] as const) {
    for (const [format, ending] of [
      ['cjs', '.cjs'],
      ['esm', '.mjs'],
    ] as const) {
      test(`${name}, as ${format}`, async () => {
        const file = join(project, `beside-${bundles++}${ending}`);
        writeFileSync(file, await byEsbuild({ format, ...options } as BuildOptions));
        const { stdout } = await run(process.execPath, [file, PROTO], { cwd: project, timeout: 60_000 });
        assert.equal(stdout.trim(), RIGHT);
      });
    }
  }
});
