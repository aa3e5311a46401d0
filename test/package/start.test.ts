import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { root } from '../../scripts/root.js';

/** The npm packages that a program has loaded when it ends; all of those that Lictor needs are CommonJS. */
function packagesOf(program: string): string[] {
  const report = `
    import { createRequire } from 'node:module';
    process.on('exit', () => console.log(JSON.stringify(Object.keys(createRequire(import.meta.url).cache))));`;
  const out = execFileSync(process.execPath, ['--input-type=module', '--eval', `${program}${report}`], {
    cwd: root,
    encoding: 'utf8',
  });
  const files = JSON.parse(out) as string[];
  return [...new Set(files.map((file) => /.*node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(file)![1]!))];
}

const call = (transport: string, serialization: string) => `
  import { Client, defineService, unary, silentLogger as logger } from 'lictor';
  const Echo = defineService('start.Echo', { echo: unary() }, { serialization: '${serialization}' });
  const client = new Client({ transport: '${transport}', target: '127.0.0.1:1', logger });
  const code = await client.service(Echo).echo({}).catch((error) => error.code);
  if (code !== 14) throw new Error('the call should have found nobody');
  await client.close();
`;

test('importing lictor loads no other package', () => {
  assert.deepEqual(packagesOf(`import 'lictor';`), []);
});

test('importing lictor does not load what starts workers', () => {
  const report = `console.log(process.moduleLoadList.some((name) => name.endsWith(' child_process')));`;
  for (const [program, loads] of [
    [`import 'lictor';`, 'false'],
    [`import 'node:child_process';`, 'true'],
  ] as const) {
    const args = ['--input-type=module', '--eval', `${program}${report}`];
    assert.equal(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' }).trim(), loads);
  }
});

test('a client on h2 that speaks JSON never loads one', () => {
  assert.deepEqual(packagesOf(call('h2', 'json')), []);
});

test('MessagePack is loaded with the first message, and alone', () => {
  assert.deepEqual(packagesOf(call('h2', 'msgpack')), ['@msgpack/msgpack']);
});

test('grpc-js is loaded by the client that is carried by it', () => {
  const packages = packagesOf(call('grpc-js', 'json'));
  assert.ok(packages.includes('@grpc/grpc-js'), packages.join(', '));
});

test('a .proto loads protobufjs, and no engine', () => {
  const packages = packagesOf(`
    import { loadProto } from 'lictor';
    loadProto('examples/helloworld/helloworld.proto').service('helloworld.Greeter');`);
  assert.ok(packages.includes('protobufjs'), packages.join(', '));
  assert.ok(!packages.includes('@grpc/grpc-js'), packages.join(', '));
});
