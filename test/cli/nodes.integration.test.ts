import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { consul } from '../../plugin/consul/consul.js';
import { silentLogger } from '../../rpc/log.js';
import { root } from '../../scripts/root.js';
import { type ConsulAgent, closedPort, startConsul } from '../consul/agent.js';

const TIME_LIMIT = { timeout: 60_000 };

const start = (address: string, args: readonly string[]) =>
  spawn(process.execPath, [join(root, 'dist/cli/main.js'), 'nodes', ...args], {
    env: { ...process.env, CONSUL_HTTP_ADDR: address },
  });

async function run(address: string, ...args: string[]) {
  const child = start(address, args);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

describe('lictor nodes', () => {
  let agent: ConsulAgent;
  before(async () => {
    agent = await startConsul();
  });
  after(() => agent.stop());
  const register = (mode: 'kv' | 'catalog', service: string, port: number, more = {}) =>
    consul({ mode, address: agent.address }).init({
      address: `127.0.0.1:${port}`,
      services: [service],
      logger: silentLogger,
      ...more,
    });

  test('prints a table of what is listed, in both modes', TIME_LIMIT, async () => {
    const more = { weight: 3, zone: 'eu-1', tags: ['a', 'b'], meta: { version: '2', note: '\u001b[31m' } };
    for (const [mode, health] of [
      ['kv', 'listed'],
      ['catalog', 'passing'],
    ] as const) {
      await using _one = await register(mode, 'table.Greeter', 8001, more);
      await using _two = await register(mode, 'table.Greeter', 80);
      const { code, stdout, stderr } = await run(agent.address, 'table.Greeter', '--mode', mode);
      assert.equal(code, 0, stderr);
      const [state, head, ...rows] = stdout.trimEnd().split('\n');
      assert.match(state!, /^\d\d:\d\d:\d\d table\.Greeter: ready, 2 nodes$/);
      assert.match(head!, /^ADDRESS +WEIGHT +ZONE +HEALTH +TAGS +META$/);
      assert.match(rows[0]!, new RegExp(`^127\\.0\\.0\\.1:80 +1 +${health}$`));
      assert.match(
        rows[1]!,
        new RegExp(`^127\\.0\\.0\\.1:8001 +3 +eu-1 +${health} +a b +(version=2 note|note=\\?\\[31m)`),
      );
      assert.ok(!stdout.includes('\u001b'));
    }
  });

  test('prints one line of JSON, with those that fail', TIME_LIMIT, async () => {
    await using _entry = await register('catalog', 'json.Greeter', 8000, { tags: ['a'] });
    const { code, stdout } = await run(
      agent.address,
      'json.Greeter',
      '--mode',
      'catalog',
      '--json',
      '--tag',
      'a',
    );
    assert.equal(code, 0);
    const { time, ...line } = JSON.parse(stdout);
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
    const node = { address: '127.0.0.1:8000', weight: 1, tags: ['a'], meta: {}, health: 'passing' };
    assert.deepEqual(line, { service: 'json.Greeter', state: 'ready', nodes: [node] });
  });

  test('follows every change, an outage among them, until Ctrl-C', TIME_LIMIT, async (t) => {
    await using own = await startConsul();
    const child = start(own.address, ['follow.Greeter', '--mode', 'catalog', '--follow', '--json']);
    t.after(() => child.kill('SIGKILL'));
    let stderr = '';
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    const exited = once(child, 'exit');
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const next = async () => JSON.parse((await lines.next()).value!) as Record<string, unknown>;
    assert.equal((await next()).state, 'empty');
    const plugin = consul({ mode: 'catalog', address: own.address });
    await using _entry = await plugin.init({
      address: '127.0.0.1:8000',
      services: ['follow.Greeter'],
      logger: silentLogger,
    });
    assert.equal((await next()).state, 'ready');
    await own.kill('SIGKILL');
    const stale = await next();
    assert.equal(stale.state, 'stale');
    assert.ok(Date.parse(String(stale.since)) > 0);
    assert.match(String(stale.reason), /is the agent running\?|has it stopped|could not list/);
    await own.restart();
    while ((await next()).state !== 'ready');
    child.kill('SIGINT');
    assert.deepEqual(await exited, [0, null]);
    assert.equal(stderr, '');
  });

  test('says where it looked and what to do when Consul is down', TIME_LIMIT, async () => {
    const address = `127.0.0.1:${await closedPort()}`;
    for (const mode of ['kv', 'catalog']) {
      const { code, stdout, stderr } = await run(address, 'down.Greeter', '--mode', mode);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, new RegExp(`^lictor: consul at ${address}: .*is the agent running\\?.*\\n$`));
    }
  });

  test('says that nobody is listed, with an exit code of its own', TIME_LIMIT, async () => {
    await using _entry = await register('catalog', 'somebody.Greeter', 8000);
    const catalog = await run(agent.address, 'nobody.Greeter', '--mode', 'catalog');
    assert.equal(catalog.code, 2);
    assert.match(
      catalog.stderr,
      /no node of nobody\.Greeter is listed .*The catalog has: .*somebody\.Greeter/,
    );
    const kv = await run(agent.address, 'somebody.Greeter');
    assert.equal(kv.code, 2);
    assert.match(kv.stderr, /with --mode catalog/);
  });

  test('refuses what it does not know, and options of the other mode', TIME_LIMIT, async () => {
    for (const [args, message] of [
      [['a', '--mode', 'dns'], /--mode.*kv, catalog/],
      [['../agent'], /service name "\.\.\/agent"/],
      [['a', '--mode', 'catalog', '--prefix', 'x/'], /--prefix is for --mode kv/],
      [['a', '--tag', 'x'], /--tag is for --mode catalog/],
      [['a', '--prefix', '/x'], /prefix "\/x"/],
      [['a', '--address', 'ftp://x'], /address of Consul/],
      [[], /missing required argument 'service'/],
    ] as const) {
      const { code, stderr } = await run(agent.address, ...args);
      assert.equal(code, 1, args.join(' '));
      assert.match(stderr, message);
      assert.ok(!stderr.includes('    at '), stderr);
    }
  });
});
