import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { Client, defineService, memory, unary } from 'lictor';
import { consul as published } from 'lictor/plugin/consul';
import { consul } from '../../plugin/consul/consul.js';
import { type Logger, silentLogger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { type ConsulAgent, closedPort, startConsul } from '../consul/agent.js';
import { FAKE_SESSION, startFakeConsul } from '../consul/fake.js';
import { read } from '../contract/reader.js';
import { turns } from '../deferred.js';
import { pair } from '../pair.js';
import { recordingLogger } from './log.js';

const TIME_LIMIT = { timeout: 60_000 };
const TOKEN = '6d0f1e0a-53f1-4c39-8a43-75c2e5f1d0aa';
const register = (
  agent: { address: string },
  address: string,
  service: string,
  logger: Logger = silentLogger,
) => consul({ address: agent.address, timeoutMs: 5_000 }).init({ address, services: [service], logger });

describe('with one agent', () => {
  let agent: ConsulAgent;
  before(async () => {
    agent = await startConsul();
  });
  after(() => agent.stop());

  test("entries written by gorpc's layout are nodes", TIME_LIMIT, async () => {
    await agent.put('gorpc.Greeter/127.0.0.1:8000', '127.0.0.1:8000');
    await using reader = read(consul({ address: agent.address }), 'gorpc.Greeter');
    assert.deepEqual(await reader.next(), {
      kind: 'nodes',
      nodes: [{ address: '127.0.0.1:8000', weight: 1, tags: [], meta: {} }],
    });
  });

  test(
    'R7: a registered server is a key and value that gorpc reads, with its flags to the last digit',
    TIME_LIMIT,
    async () => {
      await using _entry = await register(agent, '127.0.0.1:8000', 'flags.Greeter');
      assert.equal(await agent.get('flags.Greeter/127.0.0.1:8000'), '127.0.0.1:8000');
      const raw = await (await fetch(`${agent.url}/v1/kv/flags.Greeter/127.0.0.1:8000`)).text();
      assert.match(raw, /"Flags":3304740253564472344[,}]/);
    },
  );

  test('B1: a foreign entry is skipped with one warning, and the watch goes on', TIME_LIMIT, async () => {
    await agent.put('garbage.Greeter/', '');
    await agent.put('garbage.Greeter/readme', 'not an address');
    await agent.put('garbage.Greeter/bytes', Buffer.from([0, 159, 146, 150]));
    const logger = recordingLogger();
    await using reader = read(consul({ address: agent.address, logger }), 'garbage.Greeter');
    assert.deepEqual(await reader.next(), { kind: 'nodes', nodes: [] });
    for (const port of [1, 2, 3]) {
      await agent.put(`garbage.Greeter/${port}`, `127.0.0.1:${port}`);
      await reader.untilNodes((nodes) => nodes.length === port);
    }
    assert.deepEqual(
      logger.lines.map((line) => line.fields.key),
      ['garbage.Greeter/bytes', 'garbage.Greeter/readme'],
    );
  });

  test('one hundred servers that register together are all there', TIME_LIMIT, async () => {
    const plugin = consul({ address: agent.address });
    await using reader = read(plugin, 'crowd.Greeter');
    await reader.untilAddresses();
    const addresses = Array.from({ length: 100 }, (_, i) => `127.0.0.1:${9_000 + i}`);
    const services = ['crowd.Greeter', 'crowd.Other'];
    const entries = await Promise.all(
      addresses.map((address) => plugin.init({ address, services, logger: silentLogger })),
    );
    await reader.untilAddresses(...addresses);
    await Promise.all(entries.map((entry) => entry[Symbol.asyncDispose]()));
    await reader.untilAddresses();
  });

  test('a prefix keeps two worlds apart', TIME_LIMIT, async () => {
    const blue = consul({ address: agent.address, prefix: 'blue/' });
    await using _entry = await blue.init({
      address: '127.0.0.1:8000',
      services: ['prefix.Greeter'],
      logger: silentLogger,
    });
    assert.equal(await agent.get('blue/prefix.Greeter/127.0.0.1:8000'), '127.0.0.1:8000');
    await using inside = read(blue, 'prefix.Greeter');
    await inside.untilAddresses('127.0.0.1:8000');
    for (const prefix of ['', 'blue2/', 'Blue/']) {
      await using outside = read(consul({ address: agent.address, prefix }), 'prefix.Greeter');
      assert.deepEqual(await outside.next(), { kind: 'nodes', nodes: [] }, prefix);
    }
  });

  test('an agent that answers too late fails the registration', TIME_LIMIT, async () => {
    await agent.kill('SIGSTOP');
    try {
      const plugin = consul({ address: agent.address, timeoutMs: 100 });
      const failed = plugin.init({
        address: '127.0.0.1:8000',
        services: ['late.Greeter'],
        logger: silentLogger,
      });
      await assert.rejects(failed, { code: Status.DEADLINE_EXCEEDED });
    } finally {
      await agent.kill('SIGCONT');
    }
  });

  test('W10: a watch that is aborted in its wait lets the process end', TIME_LIMIT, async () => {
    const program = `
      import { consul } from ${JSON.stringify(new URL('../../plugin/consul/consul.js', import.meta.url).href)};
      const controller = new AbortController();
      const iterator = consul({ address: '${agent.address}' }).watch('exit.Greeter', controller.signal);
      await iterator.next();
      const pending = iterator.next();
      setTimeout(() => controller.abort(), 50);
      if (!(await pending).done) process.exit(1);
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'inherit' });
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });
});

test(
  'F1, W5: an agent that is killed is a failure, and what changed meanwhile comes after it is back',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul();
    await agent.put('Greeter/1', '127.0.0.1:1');
    await using reader = read(consul({ address: agent.address }), 'Greeter');
    await reader.untilAddresses('127.0.0.1:1');
    await agent.kill('SIGKILL');
    const error = await reader.untilFailure();
    assert.equal(error.code, Status.UNAVAILABLE);
    await agent.restart();
    await agent.put('Greeter/2', '127.0.0.1:2');
    for (;;) {
      const resolution = await reader.next();
      if (resolution.kind === 'failure') continue;
      // Not once in between: the data are only read from disk when there is a leader.
      assert.deepEqual(
        resolution.nodes.map((node) => node.address),
        ['127.0.0.1:1', '127.0.0.1:2'],
      );
      break;
    }
  },
);

test('F3, W5: after a loss of all data, with an index far lower, the watch goes on', TIME_LIMIT, async () => {
  await using agent = await startConsul();
  for (let i = 0; i < 100; i++) await agent.put('Other/counts-the-index-up', String(i));
  await agent.put('Greeter/1', '127.0.0.1:1');
  await using reader = read(consul({ address: agent.address }), 'Greeter');
  await reader.untilAddresses('127.0.0.1:1');
  await agent.restart({ wipe: true });
  await agent.put('Greeter/2', '127.0.0.1:2');
  await reader.untilAddresses('127.0.0.1:2');
  await agent.put('Greeter/3', '127.0.0.1:3');
  await reader.untilAddresses('127.0.0.1:2', '127.0.0.1:3');
});

test('F3, W15: while the data of the agent are lost and come back, no call fails', TIME_LIMIT, async () => {
  const Echo = defineService('lost.Echo', { echo: unary<object, object>() });
  const transport = memory();
  await using it = await pair(Echo, { echo: (message) => message }, { transport });
  await using agent = await startConsul();
  await agent.put('lost.Echo/1', it.server.address);
  const logger = recordingLogger();
  await using client = new Client({
    transport,
    resolver: published({ address: agent.address, logger }),
    logger,
  });
  const echo = client.service(Echo);
  await echo.echo({});
  let done = false;
  const calls = (async () => {
    for (; !done; await turns(1)) await echo.echo({});
  })();
  await agent.restart({ wipe: true });
  const lost = () => logger.lines.some(({ message }) => /most nodes are gone/.test(message));
  while (!lost()) await turns(1);
  assert.equal(client.watchState('lost.Echo').kind, 'stale');
  await agent.put('lost.Echo/1', it.server.address);
  while (client.watchState('lost.Echo').kind !== 'ready') await turns(1);
  done = true;
  await calls;
});

test('W14: an agent that is stopped and started takes no node away', TIME_LIMIT, async () => {
  await using agent = await startConsul();
  await agent.put('Greeter/1', '127.0.0.1:1');
  await using reader = read(consul({ address: agent.address }), 'Greeter');
  await reader.untilAddresses('127.0.0.1:1');
  const sizes: number[] = [];
  const changed = reader.untilNodes((nodes) => sizes.push(nodes.length) > 0 && nodes.length === 2);
  await agent.kill('SIGTERM');
  await agent.restart();
  await agent.put('Greeter/2', '127.0.0.1:2');
  await changed;
  assert.ok(!sizes.includes(0), `sets of ${sizes.join(', ')} nodes`);
});

test(
  'a server that stops while Consul is down stops all the same, and says which entries stay',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul();
    const logger = recordingLogger();
    const plugin = consul({ address: agent.address, timeoutMs: 500 });
    const entry = await plugin.init({ address: '127.0.0.1:8000', services: ['Greeter'], logger });
    await agent.kill('SIGKILL');
    await Promise.all([entry[Symbol.asyncDispose](), entry[Symbol.asyncDispose]()]);
    assert.equal(logger.lines.length, 1);
    assert.equal(logger.lines[0]!.fields.key, 'Greeter/127.0.0.1:8000');
    assert.match(String(logger.lines[0]!.fields.reason), /cannot be reached/);
  },
);

test(
  'a server that stops during an outage removes its entry as soon as Consul is back',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul();
    const entry = await register(agent, '127.0.0.1:8000', 'Greeter');
    await agent.kill('SIGKILL');
    const disposed = entry[Symbol.asyncDispose]();
    await agent.restart();
    await disposed;
    assert.equal(await agent.get('Greeter/127.0.0.1:8000'), undefined);
  },
);

test(
  'where there is no Consul, a registration and a watch say where they looked and what to do',
  TIME_LIMIT,
  async () => {
    const address = `127.0.0.1:${await closedPort()}`;
    const logger = recordingLogger();
    const plugin = consul({ address });
    await assert.rejects(plugin.init({ address: '127.0.0.1:8000', services: ['Greeter'], logger }), {
      code: Status.UNAVAILABLE,
      message: new RegExp(`consul at ${address}.*is the agent running\\?`),
    });
    assert.deepEqual(logger.lines, []);
    await using reader = read(plugin, 'Greeter');
    const first = await reader.next();
    assert.ok(first.kind === 'failure' && first.error.message.includes(address));
  },
);

test('making the plugin asks nothing, and bad options are refused when it is made', async () => {
  await using fake = await startFakeConsul(() => assert.fail('no request'));
  consul({ address: fake.address }).describe('Greeter');
  for (const options of [
    { prefix: '/x/' },
    { prefix: 'x' },
    { prefix: 'a/../b/' },
    { address: 'ftp://x' },
    { token: 'a\r\nb: c' },
    { snapshot: '' },
    { addressPolicy: ['10.0.0.0/33'] },
  ]) {
    assert.throws(() => consul(options), { code: Status.INVALID_ARGUMENT }, JSON.stringify(options));
  }
  for (const timeoutMs of [0, -1, Number.NaN, 2 ** 31])
    assert.throws(() => consul({ timeoutMs }), RangeError);
  for (const ttlMs of [-1, 1, 999, 1_500.5, 86_400_001, Number.NaN])
    assert.throws(() => consul({ ttlMs }), { name: 'RangeError', message: new RegExp(`got ${ttlMs}`) });
  for (const nodeChecks of ['serfHealth', [''], [1]] as unknown as string[][])
    assert.throws(() => consul({ nodeChecks }), RangeError);
});

test('R1: a bad service name sends no request', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul(() => assert.fail('no request'));
  const plugin = consul({ address: fake.address });
  for (const service of ['../agent/leave', '..', '%2e%2e', '', 'a//b']) {
    assert.throws(() => plugin.watch(service, new AbortController().signal), {
      code: Status.INVALID_ARGUMENT,
    });
    await assert.rejects(
      plugin.init({ address: '127.0.0.1:1', services: ['good', service], logger: silentLogger }),
      {
        code: Status.INVALID_ARGUMENT,
      },
    );
  }
  assert.equal(fake.exchanges.length, 0);
});

test('R1: no key is ever deleted by its folder', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul(({ method, list, send, session }) => {
    if (session()) return;
    if (method === 'GET') list({ 'Greeter/127.0.0.1:1': '127.0.0.1:1' }, '1');
    else send(200, 'true');
  });
  const entry = await register(fake, '127.0.0.1:1', 'Greeter');
  await entry[Symbol.asyncDispose]();
  await entry[Symbol.asyncDispose]();
  const deletes = fake.exchanges.filter(({ method }) => method === 'DELETE');
  assert.deepEqual(
    deletes.map(({ request }) => request.url),
    ['/v1/kv/Greeter%2F127.0.0.1%3A1'],
  );
});

test('an entry that does not show is a failed registration, and is removed', TIME_LIMIT, async () => {
  for (const ttlMs of [0, 10_000]) {
    await using fake = await startFakeConsul(({ method, list, send, session }) => {
      if (!session()) method === 'GET' ? list({}, '1') : send(200, 'true');
    });
    const plugin = consul({ address: fake.address, timeoutMs: 300, ttlMs });
    const request = { address: '127.0.0.1:1', services: ['Greeter'], logger: silentLogger };
    await assert.rejects(plugin.init(request), {
      code: Status.PERMISSION_DENIED,
      message: /was written but does not show/,
    });
    const asked = fake.exchanges.filter(({ method }) => method !== 'GET').map(({ request }) => request.url);
    const removed = ['/v1/kv/Greeter%2F127.0.0.1%3A1', `/v1/session/destroy/${FAKE_SESSION}`];
    assert.deepEqual(asked.slice(ttlMs === 0 ? -1 : -2), removed.slice(0, ttlMs === 0 ? 1 : 2));
  }
});

test('F6: an empty list of a server without a leader is not believed', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul(({ list }, count) => {
    if (count === 1) list({ 'Greeter/1': '127.0.0.1:1' }, '9');
    else if (count === 2) list({}, '10', { 'x-consul-knownleader': 'false' });
    else if (count === 3) list({ 'Greeter/2': '127.0.0.1:2' }, '11', { 'x-consul-knownleader': 'false' });
  });
  await using reader = read(consul({ address: fake.address }), 'Greeter');
  await reader.untilAddresses('127.0.0.1:1');
  const error = await reader.next();
  assert.ok(error.kind === 'failure' && error.error.message.includes('no cluster leader'));
  const next = await reader.next();
  assert.ok(next.kind === 'nodes' && next.nodes[0]!.address === '127.0.0.1:2');
});

test(
  'W13: queries of a watch may be answered by any server, unless that is switched off',
  TIME_LIMIT,
  async () => {
    for (const stale of [true, false]) {
      await using fake = await startFakeConsul(({ list }, count) => void (count === 1 && list({}, '1')));
      await using reader = read(consul({ address: fake.address, stale, datacenter: 'eu' }), 'Greeter');
      await reader.next();
      assert.equal(fake.exchanges[0]!.query.has('stale'), stale);
      assert.equal(fake.exchanges[0]!.query.get('dc'), 'eu');
    }
  },
);

test('the token is in no text that the plugin gives away', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul(({ send, request }) =>
    send(403, `denied: ${request.headers['x-consul-token']}`),
  );
  const logger = recordingLogger();
  const plugin = consul({ address: fake.address, token: TOKEN, logger });
  const texts = [
    inspect(plugin, { depth: 9, showHidden: true }),
    JSON.stringify(plugin),
    plugin.describe('Greeter'),
    String(plugin),
  ];
  const failed = await plugin
    .init({ address: '127.0.0.1:1', services: ['Greeter'], logger })
    .catch((error: Error) => error);
  texts.push(inspect(failed, { depth: 9, showHidden: true }));
  await using reader = read(plugin, 'Greeter');
  texts.push(inspect(await reader.next(), { depth: 9, showHidden: true }), inspect(logger.lines));
  for (const text of texts) assert.ok(!text.includes(TOKEN), text);
  assert.equal(fake.exchanges[0]!.request.headers['x-consul-token'], TOKEN);
});

describe('with access control', () => {
  let agent: ConsulAgent;
  let token: string;
  before(async () => {
    agent = await startConsul({
      token: TOKEN,
      config: `acl { enabled = true default_policy = "deny" tokens { master = "${TOKEN}" agent = "${TOKEN}" } }`,
    });
    const rules =
      'key_prefix "allowed." { policy = "write" } key_prefix "readable." { policy = "read" } ' +
      'session_prefix "" { policy = "write" }';
    await agent.request('PUT', '/acl/policy', JSON.stringify({ Name: 'test', Rules: rules }));
    const made = await agent.request('PUT', '/acl/token', JSON.stringify({ Policies: [{ Name: 'test' }] }));
    token = (made as { SecretID: string }).SecretID;
  });
  after(() => agent.stop());

  test('a token that may do it registers and watches', TIME_LIMIT, async () => {
    const plugin = consul({ address: agent.address, token });
    await using reader = read(plugin, 'allowed.Greeter');
    await reader.untilAddresses();
    await using _entry = await plugin.init({
      address: '127.0.0.1:1',
      services: ['allowed.Greeter'],
      logger: silentLogger,
    });
    await reader.untilAddresses('127.0.0.1:1');
  });

  test('a token that may not write fails the registration, and nothing of it stays', TIME_LIMIT, async () => {
    const plugin = consul({ address: agent.address, token });
    const services = ['allowed.Half', 'readable.Greeter'];
    await assert.rejects(plugin.init({ address: '127.0.0.1:1', services, logger: silentLogger }), {
      code: Status.PERMISSION_DENIED,
      message: /key "readable\.Greeter\/127\.0\.0\.1:1" \{ policy = "write" \}/,
    });
    assert.equal(await agent.get('allowed.Half/127.0.0.1:1'), undefined);
  });

  test(
    'F16, S4: an unknown token is a failure of the watch that names the permission',
    TIME_LIMIT,
    async () => {
      await using reader = read(consul({ address: agent.address, token: 'unknown' }), 'allowed.Greeter');
      const error = await reader.untilFailure();
      assert.equal(error.code, Status.PERMISSION_DENIED);
      assert.match(error.message, /key_prefix "allowed\.Greeter\/"/);
    },
  );
});

test(
  'W13, F6: an answer of a server that is cut off from its leader is used, and is told to be stale',
  TIME_LIMIT,
  async () => {
    const leaderless = { 'x-consul-knownleader': 'false', 'x-consul-lastcontact': '20461' };
    await using fake = await startFakeConsul(({ list }, count) => {
      if (count === 1) list({ 'Greeter/1': '127.0.0.1:1' }, '9');
      else if (count === 2) list({ 'Greeter/2': '127.0.0.1:2' }, '10', leaderless);
      else if (count === 3) list({ 'Greeter/2': '127.0.0.1:2' }, '10', { 'x-consul-lastcontact': '6000' });
      else if (count === 4) list({ 'Greeter/2': '127.0.0.1:2' }, '10', { 'x-consul-lastcontact': '30' });
    });
    await using reader = read(consul({ address: fake.address }), 'Greeter');
    await reader.untilAddresses('127.0.0.1:1');
    await reader.untilAddresses('127.0.0.1:2');
    const error = await reader.next();
    assert.ok(error.kind === 'failure' && /no cluster leader.*may be old/.test(error.error.message));
    const next = await reader.next();
    assert.ok(next.kind === 'nodes' && next.nodes[0]!.address === '127.0.0.1:2', 'it is not stale any more');
    assert.deepEqual(
      fake.exchanges.slice(1, 4).map(({ query }) => query.get('wait')),
      ['55000ms', '1000ms', '1000ms'],
      'and is asked again soon while it is',
    );
  },
);
