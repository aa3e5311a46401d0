import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connectConsul } from '../../plugin/consul/connection.js';
import { consul } from '../../plugin/consul/consul.js';
import { ENTRY_FLAGS } from '../../plugin/consul/entry.js';
import { kvOf } from '../../plugin/consul/kv.js';
import { plainEntries } from '../../plugin/consul/plain-entries.js';
import { silentLogger } from '../../rpc/log.js';
import { root } from '../../scripts/root.js';
import { type ConsulAgent, closedPort, startConsul } from '../consul/agent.js';
import { startFakeConsul } from '../consul/fake.js';

const TIME_LIMIT = { timeout: 60_000 };

const prune = (address: string, ...args: string[]) =>
  new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      [join(root, 'dist/cli/main.js'), 'prune', '--address', address, '--timeout', '1000', ...args],
      (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
  });

describe('lictor prune', () => {
  let agent: ConsulAgent;
  let listening: Server;
  let live: string;
  let dead: string;
  const entry = async (key: string, value: string, flags: bigint = ENTRY_FLAGS) => {
    const written = await kvOf(connectConsul({ address: agent.address })).putIf(key, value, { flags });
    assert.ok(written);
  };
  before(async () => {
    agent = await startConsul();
    listening = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(listening, 'listening');
    live = `127.0.0.1:${(listening.address() as AddressInfo).port}`;
    dead = `127.0.0.1:${await closedPort()}`;
  });
  after(async () => {
    listening.close();
    await agent.stop();
  });

  test('lists entries without a session where nobody listens, and removes none', TIME_LIMIT, async () => {
    await entry(`list/Greeter/${dead}`, dead);
    await entry(`list/Json/${dead}`, JSON.stringify({ address: dead, weight: 2 }));
    await entry(`list/Greeter/${live}`, live);
    const { code, stdout, stderr } = await prune(agent.address, '--prefix', 'list/', '--dry-run');
    assert.equal(stderr, '');
    const lines = stdout.trim().split('\n');
    assert.deepEqual(
      lines.map((line) => line.split(/ {2,}/)),
      [
        ['KEY', 'ADDRESS', 'STATE'],
        [`list/Greeter/${dead}`, dead, 'nobody listens'],
        [`list/Json/${dead}`, dead, 'nobody listens'],
        ['2 stale of 3 without a session'],
      ],
    );
    assert.equal(code, 2);
    assert.equal(await agent.get(`list/Greeter/${dead}`), dead);
  });

  test('with --remove it deletes exactly what it lists', TIME_LIMIT, async () => {
    const others: [string, string, bigint?][] = [
      [`remove/Greeter/${live}`, live],
      [`other/Greeter/${dead}`, dead],
      // None of these is certainly an entry.
      [`remove/Greeter/${dead}/more`, dead],
      [`remove/${dead}`, dead],
      ['remove/Greeter/database', dead],
      [`remove/Flags/${dead}`, dead, 0n],
      [`remove/Value/${dead}`, 'something else'],
    ];
    for (const [key, value, flags] of others) await entry(key, value, flags);
    await entry(`remove/Greeter/${dead}`, dead);
    await using _held = await consul({ address: agent.address, prefix: 'remove/' }).init({
      address: dead,
      services: ['Held'],
      logger: silentLogger,
    });
    const { code, stdout } = await prune(agent.address, '--prefix', 'remove/', '--remove');
    assert.match(stdout, new RegExp(`remove/Greeter/${dead} .* removed\n1 stale of 2 without a session`));
    assert.equal(code, 0);
    assert.equal(await agent.get(`remove/Greeter/${dead}`), undefined);
    assert.equal(await agent.get(`remove/Held/${dead}`), dead);
    for (const [key, value] of others) assert.equal(await agent.get(key), value, key);
    const again = await prune(agent.address, '--prefix', 'remove/', '--remove');
    assert.deepEqual([again.code, again.stdout], [0, '0 stale of 1 without a session\n']);
  });

  test('a service is not the one whose name it begins', TIME_LIMIT, async () => {
    await entry(`one/Greeter/${dead}`, dead);
    await entry(`one/Greeter2/${dead}`, dead);
    const { stdout } = await prune(agent.address, '--prefix', 'one/', '--service', 'Greeter');
    assert.ok(stdout.includes(`one/Greeter/${dead}`) && !stdout.includes('Greeter2'));
  });

  test('without a prefix the keys are service and address', TIME_LIMIT, async () => {
    await entry(`Bare/${dead}`, dead);
    const { stdout } = await prune(agent.address);
    assert.ok(stdout.includes(`Bare/${dead}`) && !stdout.includes('list/'));
  });

  test('a machine that does not answer is listed only when that is asked for', TIME_LIMIT, async () => {
    await entry('silent/Greeter/nothing.invalid:80', 'nothing.invalid:80');
    const first = await prune(agent.address, '--prefix', 'silent/', '--remove');
    assert.deepEqual(
      [first.code, first.stdout],
      [0, '0 stale of 1 without a session, 1 unreachable (see --unreachable)\n'],
    );
    const second = await prune(agent.address, '--prefix', 'silent/', '--unreachable');
    assert.match(second.stdout, /nothing\.invalid:80 {2}unreachable \(\w+\)/);
    assert.equal(second.code, 2);
  });

  test("the loopback of another agent's machine is not this one's", TIME_LIMIT, async () => {
    await entry(`loop/Greeter/${dead}`, dead);
    const kv = kvOf(connectConsul({ address: agent.address }));
    const options = { prefix: 'loop/', timeoutMs: 1_000 };
    const [local] = await plainEntries(kv, { ...options, isLocal: true });
    const [elsewhere] = await plainEntries(kv, { ...options, isLocal: false });
    assert.deepEqual([local?.probe.kind, elsewhere?.probe.kind], ['refuses', 'silent']);
  });

  test(
    'an entry that has changed since it was looked at is left, and that is a failure',
    TIME_LIMIT,
    async () => {
      await using fake = await startFakeConsul(({ method, query, send }) => {
        const item = {
          Key: `Greeter/${dead}`,
          Value: Buffer.from(dead).toString('base64'),
          Flags: Number(ENTRY_FLAGS),
          ModifyIndex: 7,
        };
        if (method === 'GET') send(200, JSON.stringify([item]), { 'x-consul-index': '7' });
        else send(query.get('cas') === '7' ? 200 : 500, 'false');
      });
      const { code, stdout } = await prune(fake.address, '--remove');
      assert.match(stdout, /has changed, left/);
      assert.equal(code, 1);
    },
  );

  test('mistakes and an agent that is not there are told in a line, with 1', TIME_LIMIT, async () => {
    for (const [args, wanted] of [
      [['--prefix', 'no-slash'], /must end with "\/"/],
      [['--service', '../x'], /service name/],
      [['--remove', '--dry-run'], /cannot be used with/],
      [['--timeout', '0'], /whole milliseconds/],
      [['--address', `127.0.0.1:${await closedPort()}`], /is the agent running\?/],
    ] as const) {
      const { code, stdout, stderr } = await prune(agent.address, ...args);
      assert.match(stderr, wanted);
      assert.deepEqual([code, stdout, stderr.trim().split('\n').length], [1, '', 1], args.join(' '));
    }
  });
});
