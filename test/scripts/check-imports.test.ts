import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkImports } from '../../scripts/imports/check.js';
import { table } from '../../scripts/imports/table.js';

const own = {
  name: 'lictor',
  exports: {
    '.': { default: './dist/index.js' },
    './plugin/consul': { default: './dist/plugin/consul/consul.js' },
    './package.json': './package.json',
  },
  imports: { '#packages': { types: './dist/packages/in-node.d.ts' } },
  dependencies: { '@grpc/grpc-js': '1', consul: '1', protobufjs: '1', commander: '1', orphan: '1' },
  peerDependencies: { opentracing: '1' },
  devDependencies: { 'fast-check': '1' },
};

const check = (files: Record<string, string>) => checkImports(new Map(Object.entries(files)), own, table);
const rules = (files: Record<string, string>) => check(files).map(({ rule }) => rule);

/** An import of `to`, given from the root, in the file `from`. */
const importing = (from: string, to: string) => {
  const specifier = '../'.repeat(from.split('/').length - 1) + to.replace(/ts$/, 'js');
  return { [from]: `import '${specifier.startsWith('.') ? specifier : `./${specifier}`}';` };
};

describe('between layers', () => {
  for (const [from, to] of [
    ['rpc/a.ts', 'rpc/b.ts'],
    ['codec/a.ts', 'rpc/b.ts'],
    ['selector/a.ts', 'rpc/b.ts'],
    ['selector/balancer/a.ts', 'selector/b.ts'],
    ['transport/h2/a.ts', 'codec/b.ts'],
    ['plugin/etcd/a.ts', 'plugin/etcd/b.ts'],
    ['plugin/etcd/a.ts', 'plugin/plugin.ts'],
    ['plugin/plugin.ts', 'selector/b.ts'],
    ['client/a.ts', 'plugin/plugin.ts'],
    ['client/a.ts', 'selector/b.ts'],
    ['server/a.ts', 'transport/b.ts'],
    ['index.ts', 'plugin/local/local.ts'],
    ['cli/a.ts', 'index.ts'],
    ['test/a.ts', 'scripts/b.ts'],
    ['examples/demo/a.ts', 'examples/hello/b.ts'],
    ['bench/a.ts', 'examples/b.ts'],
  ] as const) {
    test(`${from} may import ${to}`, () => assert.deepEqual(rules(importing(from, to)), []));
  }
  for (const [from, to, unit] of [
    ['rpc/a.ts', 'codec/b.ts', 'rpc/'],
    ['codec/a.ts', 'transport/b.ts', 'codec/'],
    ['selector/a.ts', 'plugin/plugin.ts', 'selector/'],
    ['transport/a.ts', 'selector/b.ts', 'transport/'],
    ['plugin/etcd/a.ts', 'plugin/consul/b.ts', 'plugin/etcd/'],
    ['plugin/etcd/a.ts', 'plugin/etcd2/b.ts', 'plugin/etcd/'],
    ['plugin/plugin.ts', 'plugin/consul/b.ts', 'plugin/plugin.ts'],
    ['plugin/etcd/a.ts', 'client/b.ts', 'plugin/etcd/'],
    ['client/a.ts', 'plugin/consul/b.ts', 'client/'],
    ['client/a.ts', 'server/b.ts', 'client/'],
    ['server/a.ts', 'selector/b.ts', 'server/'],
    ['index.ts', 'test/b.ts', 'index.ts'],
    ['cli/a.ts', 'scripts/b.ts', 'cli/'],
    ['rpc/a.ts', 'unheard-of/b.ts', 'rpc/'],
  ] as const) {
    test(`${from} must not import ${to}`, () => {
      assert.deepEqual(rules(importing(from, to)), [`${unit} must not import ${to}`]);
    });
  }

  test('an example imports the library by name', () => {
    const named = `import { Client } from 'lictor'; import { consul } from 'lictor/plugin/consul';`;
    assert.deepEqual(rules({ 'examples/hello/a.ts': named }), []);
    assert.deepEqual(rules(importing('examples/hello/a.ts', 'client/client.ts')), [
      'an example imports the library by its package name, not client/client.ts',
    ]);
    assert.deepEqual(rules({ 'examples/a.ts': `import 'lictor/client'` }), [
      `package.json does not export 'lictor/client'`,
    ]);
  });

  test('a name of the package.json is the file that it names', () => {
    assert.deepEqual(rules({ 'codec/a.ts': `import '#packages'` }), []);
    assert.deepEqual(rules({ 'client/a.ts': `import '#packages'` }), [
      'client/ must not import packages/in-node.ts',
    ]);
    assert.deepEqual(rules({ 'codec/a.ts': `import '#other'` }), [`package.json does not name '#other'`]);
  });

  test('the library does not import itself by name', () => {
    assert.match(rules({ 'client/a.ts': `import 'lictor'` })[0]!, /^'lictor' is the package's own name/);
  });

  test('a file outside the table is reported once, whatever it imports', () => {
    assert.deepEqual(rules({ 'utils/a.ts': `import '../rpc/b.js'; import 'nothing'` }), [
      'the file belongs to no layer of the table',
    ]);
  });

  test('type-only, dynamic and re-exporting imports count like any other', () => {
    const source = `import type { A } from '../client/a.js';
      export type { B } from '../client/b.js';
      type C = import('../client/c.js').C;
      const d = await import('../client/d.js');`;
    assert.deepEqual(
      check({ 'rpc/x.ts': source }).map(({ line, rule }) => `${line} ${rule}`),
      ['a', 'b', 'c', 'd'].map((name, i) => `${i + 1} rpc/ must not import client/${name}.ts`),
    );
  });

  test('a computed import is refused in the library only', () => {
    assert.match(rules({ 'client/a.ts': 'import(name)' })[0]!, /computed/);
    assert.deepEqual(rules({ 'scripts/a.ts': 'import(name)' }), []);
  });

  test('data may be imported from anywhere in the repository', () => {
    assert.deepEqual(rules({ 'cli/a.ts': `import p from '../package.json' with { type: 'json' }` }), []);
  });

  test('an import must not leave the repository', () => {
    for (const specifier of ['../../a.js', '/tmp/a.js', 'file:///tmp/a.js', '../..']) {
      assert.deepEqual(rules({ 'rpc/a.ts': `import '${specifier}'` }), [
        `'${specifier}' leads out of the repository`,
      ]);
    }
  });
});

describe('packages', () => {
  for (const [from, name] of [
    ['transport/grpc-js/a.ts', '@grpc/grpc-js'],
    ['plugin/consul/a.ts', 'consul'],
    ['codec/protobuf/a.ts', 'protobufjs/minimal.js'],
    ['plugin/plugin.ts', 'opentracing'],
    ['scripts/a.ts', 'commander'],
    ['scripts/a.ts', 'fast-check'],
    ['test/a.ts', '@grpc/grpc-js'],
    ['bench/a.ts', 'consul'],
    ['examples/a.ts', 'orphan'],
    ['rpc/a.ts', 'node:net'],
  ] as const) {
    test(`${from} may import ${name}`, () => assert.deepEqual(rules({ [from]: `import '${name}'` }), []));
  }
  for (const [from, name, rule] of [
    ['transport/h2/a.ts', '@grpc/grpc-js', /outside its door, transport\/grpc-js\//],
    ['plugin/etcd/a.ts', 'consul', /outside its door/],
    ['client/a.ts', 'opentracing', /outside its door/],
    ['scripts/a.ts', 'consul', /outside its door/],
    ['rpc/a.ts', 'orphan', /has no door/],
    ['cli/a.ts', 'fast-check', /devDependency/],
    ['test/a.ts', 'left-pad', /not declared/],
    ['rpc/a.ts', 'net', /not declared/],
    ['test/a.ts', 'constructor', /not declared/],
  ] as const) {
    test(`${from} must not import ${name}`, () => {
      const found = rules({ [from]: `import '${name}'` });
      assert.equal(found.length, 1);
      assert.match(found[0]!, rule);
    });
  }
});

describe('cycles', () => {
  test('a cycle is shown once, all the way around', () => {
    const files = {
      'rpc/a.ts': `import './b.js';`,
      'rpc/b.ts': `\nimport type { C } from './c.js';`,
      'rpc/c.ts': `export * from './a.js';`,
      'rpc/d.ts': `import './a.js';`,
    };
    const [violation, ...more] = check(files);
    assert.deepEqual(more, []);
    assert.equal(violation!.rule, 'import cycle: rpc/a.ts -> rpc/b.ts -> rpc/c.ts -> rpc/a.ts');
    assert.equal(`${violation!.file}:${violation!.line}`, 'rpc/a.ts:1');
  });

  test('a file that imports itself is a cycle, and two cycles are two', () => {
    const files = {
      'rpc/a.ts': `import './a.js';`,
      'rpc/b.ts': `import './c.js';`,
      'rpc/c.ts': `import './b.js';`,
    };
    assert.deepEqual(rules(files), [
      'import cycle: rpc/a.ts -> rpc/a.ts',
      'import cycle: rpc/b.ts -> rpc/c.ts -> rpc/b.ts',
    ]);
  });

  test('many ways to the same file are not a cycle', () => {
    const files = {
      'rpc/a.ts': `import './b.js'; import './c.js';`,
      'rpc/b.ts': `import './d.js';`,
      'rpc/c.ts': `import './d.js';`,
      'rpc/d.ts': '',
    };
    assert.deepEqual(rules(files), []);
  });

  test('the table of contents takes part in cycles too', () => {
    const files = { 'index.ts': `export * from './cli/x.js'`, 'cli/x.ts': `import '../index.js'` };
    assert.deepEqual(rules(files), ['import cycle: index.ts -> cli/x.ts -> index.ts']);
  });
});
