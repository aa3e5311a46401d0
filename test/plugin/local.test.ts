import assert from 'node:assert/strict';
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { changes } from '../../plugin/local/changes.js';
import { makePrivateFolder } from '../../plugin/local/folder.js';
import { local } from '../../plugin/local/local.js';
import { silentLogger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { read } from '../contract/reader.js';
import { resolverContract } from '../contract/resolver.js';
import { recordingLogger } from './log.js';

const TIME_LIMIT = { timeout: 20_000 };
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lictor-local-test-'));
});
after(() => rm(folder, { recursive: true, force: true }));

resolverContract('local', async () => {
  const shared = await mkdtemp(join(tmpdir(), 'lictor-local-test-'));
  return {
    server: local({ folder: shared }),
    client: local({ folder: shared }),
    [Symbol.asyncDispose]: () => rm(shared, { recursive: true, force: true }),
  };
});

/** A server in a process of its own, registered when this resolves. */
async function startServer(service: string, address: string): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('./local-server.js', import.meta.url)), [
    folder,
    service,
    address,
  ]);
  await once(child, 'message');
  return child;
}

test('the entry of another process is seen, and goes with it when it is killed', TIME_LIMIT, async () => {
  await using reader = read(local({ folder }), 'Killed');
  await reader.untilAddresses();
  const child = await startServer('Killed', '127.0.0.1:8000');
  await reader.untilAddresses('127.0.0.1:8000');
  child.kill('SIGKILL');
  await reader.untilAddresses();
  assert.deepEqual(await readdir(join(folder, 'Killed')), [], 'its file is removed');
});

test('the entry of a process that died before is not in the first state', TIME_LIMIT, async () => {
  const child = await startServer('Died', '127.0.0.1:8000');
  child.kill('SIGKILL');
  await once(child, 'exit');
  await using reader = read(local({ folder }), 'Died');
  assert.deepEqual(await reader.next(), { kind: 'nodes', nodes: [] });
});

test('a process that has got the id of a dead one is not taken for it', TIME_LIMIT, async (t) => {
  if (process.platform !== 'linux') return t.skip('only Linux tells when a process was started');
  const entry = await local({ folder }).init({
    address: '127.0.0.1:8000',
    services: ['Reused'],
    logger: silentLogger,
  });
  const [name] = await readdir(join(folder, 'Reused'));
  const file = join(folder, 'Reused', name!);
  const data = JSON.parse(await readFile(file, 'utf8'));
  assert.equal(data.pid, process.pid);
  await writeFile(file, JSON.stringify({ ...data, started: '1' }));
  await using reader = read(local({ folder }), 'Reused');
  assert.deepEqual(await reader.next(), { kind: 'nodes', nodes: [] });
  await entry[Symbol.asyncDispose]();
});

test('a file that is no entry is skipped with one warning for each content', TIME_LIMIT, async () => {
  const service = join(folder, 'Garbage');
  await mkdir(service);
  const deep = '['.repeat(10_000);
  const bad = {
    empty: '',
    text: 'x',
    list: '[]',
    null: 'null',
    deep,
    port: '{"address":"127.0.0.1:0","pid":1}',
    owner: '{"address":"a:1"}',
  };
  for (const [name, text] of Object.entries(bad)) await writeFile(join(service, `${name}.json`), text);
  await writeFile(
    join(service, 'long.json'),
    JSON.stringify({ address: 'a:1', pid: process.pid, more: 'x'.repeat(20_000) }),
  );
  await mkdir(join(service, 'folder.json'));
  await writeFile(join(service, 'notes.txt'), 'not looked at');
  const logger = recordingLogger();
  const plugin = local({ folder, logger });
  await using reader = read(plugin, 'Garbage');
  await reader.untilAddresses();
  await using _one = await plugin.init({ address: '127.0.0.1:8000', services: ['Garbage'], logger });
  await reader.untilAddresses('127.0.0.1:8000');
  assert.equal(logger.lines.length, Object.keys(bad).length + 2);
  await writeFile(join(service, 'text.json'), 'y');
  await using _two = await plugin.init({ address: '127.0.0.1:8001', services: ['Garbage'], logger });
  await reader.untilAddresses('127.0.0.1:8000', '127.0.0.1:8001');
  assert.equal(logger.lines.length, Object.keys(bad).length + 3);
});

test('the folder may be taken away and comes back', TIME_LIMIT, async () => {
  const own = await mkdtemp(join(folder, 'gone-'));
  const plugin = local({ folder: own });
  await using reader = read(plugin, 'Gone');
  await reader.untilAddresses();
  await using _one = await plugin.init({
    address: '127.0.0.1:8000',
    services: ['Gone'],
    logger: silentLogger,
  });
  await reader.untilAddresses('127.0.0.1:8000');
  await rm(own, { recursive: true });
  await reader.untilAddresses();
  await using _two = await plugin.init({
    address: '127.0.0.1:8001',
    services: ['Gone'],
    logger: silentLogger,
  });
  await reader.untilAddresses('127.0.0.1:8001');
});

test('a folder that cannot be used is a failure, and the watch goes on', TIME_LIMIT, async () => {
  const own = join(folder, 'blocked');
  await writeFile(own, 'a file where the folder should be');
  const plugin = local({ folder: own });
  await assert.rejects(plugin.init({ address: '127.0.0.1:8000', services: ['S'], logger: silentLogger }), {
    code: Status.UNAVAILABLE,
  });
  await using reader = read(plugin, 'S');
  assert.equal((await reader.next()).kind, 'failure');
  await rm(own);
  assert.deepEqual(await reader.next(), { kind: 'nodes', nodes: [] });
});

test('the socket of a server may have the longest path there is', TIME_LIMIT, async () => {
  const plugin = local({ folder });
  const address = `unix:/${'é/'.repeat(35)}`;
  await using _entry = await plugin.init({ address, services: ['Unix'], logger: silentLogger });
  await using reader = read(plugin, 'Unix');
  await reader.untilAddresses(address);
});

test('the default folder belongs to this user alone', TIME_LIMIT, async () => {
  const own = join(folder, 'private');
  await makePrivateFolder(own);
  assert.equal((await stat(own)).mode & 0o777, 0o700);
  await makePrivateFolder(own);
  await chmod(own, 0o777);
  await assert.rejects(makePrivateFolder(own), { code: Status.PERMISSION_DENIED });
});

test('where the system does not tell of changes, they are polled', TIME_LIMIT, async () => {
  const controller = new AbortController();
  const notify = () => {
    throw new Error('no watches left');
  };
  let turns = 0;
  for await (const _ of changes(folder, { signal: controller.signal, pollMs: 5, notify })) {
    if (++turns === 3) controller.abort();
  }
  assert.equal(turns, 3);
});

test('an aborted watch that nobody reads on does not hold the process', TIME_LIMIT, async () => {
  const program = `
    import { local } from ${JSON.stringify(new URL('../../plugin/local/local.js', import.meta.url).href)};
    const controller = new AbortController();
    const iterator = local({ folder: ${JSON.stringify(folder)} }).watch('Held', controller.signal);
    await iterator.next();
    const pending = iterator.next();
    setTimeout(() => controller.abort(), 20);
    await pending;
    const other = new AbortController();
    await local({ folder: ${JSON.stringify(folder)} }).watch('Held', other.signal).next();
    other.abort();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'inherit' });
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test(
  'a registry in a folder that cannot be made is an error for servers and clients',
  TIME_LIMIT,
  async () => {
    const taken = join(folder, 'taken');
    await writeFile(taken, '');
    const below = process.platform === 'linux' ? ['/proc/x', join(taken, 'in')] : [join(taken, 'in')];
    for (const path of below) {
      const plugin = local({ folder: path });
      const error = { code: Status.UNAVAILABLE, details: /cannot make the folder/ };
      const registration = { address: '127.0.0.1:8000', services: ['None'], logger: silentLogger };
      await assert.rejects(Promise.resolve(plugin.init(registration)), error);
      const controller = new AbortController();
      for await (const state of plugin.watch('None', controller.signal)) {
        assert.equal(state.kind, 'failure');
        assert.match((state as { error: Error }).error.message, /cannot make the folder/);
        controller.abort();
      }
    }
  },
);
