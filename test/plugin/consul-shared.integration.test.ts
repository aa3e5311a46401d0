import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, defineService, memory, unary } from 'lictor';
import { consul as published } from 'lictor/plugin/consul';
import { consul } from '../../plugin/consul/consul.js';
import { silentLogger } from '../../rpc/log.js';
import { startConsul } from '../consul/agent.js';
import { countingProxy } from '../consul/counting-proxy.js';
import { type FakeExchange, startFakeConsul } from '../consul/fake.js';
import { read } from '../contract/reader.js';
import { turns } from '../deferred.js';
import { watched } from '../faults/load.js';
import { pair } from '../pair.js';
import { recordingLogger } from './log.js';

const TIME_LIMIT = { timeout: 60_000 };

test('W12: a thousand subscribers to one service use one connection', TIME_LIMIT, async () => {
  let held: FakeExchange | undefined;
  const sockets = new Set<unknown>();
  await using fake = await startFakeConsul((exchange) => {
    sockets.add(exchange.request.socket);
    if (exchange.query.has('index')) held = exchange;
    else exchange.list({ 'Greeter/1': '127.0.0.1:1' }, '7');
  });
  const readers = Array.from({ length: 1_000 }, () => read(consul({ address: fake.address }), 'Greeter'));
  await Promise.all(readers.map((reader) => reader.untilAddresses('127.0.0.1:1')));
  while (!held) await turns();
  held.list({ 'Greeter/2': '127.0.0.1:2' }, '8');
  await Promise.all(readers.map((reader) => reader.untilAddresses('127.0.0.1:2')));
  assert.equal(sockets.size, 1);
  assert.ok(fake.exchanges.length <= 3, `${fake.exchanges.length} requests`);
  await Promise.all(readers.map((reader) => reader.stop()));
});

test(
  'W12, F17: watches of a hundred services use at most a hundred connections, and a registration passes by',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul();
    const port = Number(agent.address.split(':')[1]);
    let sockets = 0;
    const count = (message: unknown) => {
      const { socket } = message as { socket: Socket };
      socket.once('connect', () => {
        if (socket.remotePort === port) sockets++;
      });
    };
    const plugin = consul({ address: agent.address });
    subscribe('net.client.socket', count);
    const readers = Array.from({ length: 300 }, (_, i) => read(plugin, `many.Service${i % 100}`));
    try {
      await Promise.all(readers.map((reader) => reader.untilAddresses()));
      assert.ok(sockets > 0 && sockets <= 100, `${sockets} connections`);
      await using _entry = await plugin.init({
        address: '127.0.0.1:8000',
        services: ['many.Service0', 'many.Service99'],
        logger: silentLogger,
      });
      await Promise.all([
        readers[0]!.untilAddresses('127.0.0.1:8000'),
        readers[199]!.untilAddresses('127.0.0.1:8000'),
      ]);
    } finally {
      unsubscribe('net.client.socket', count);
      await Promise.all(readers.map((reader) => reader.stop()));
    }
  },
);

test('W11: a reader that throws or leaves takes nothing from the others', TIME_LIMIT, async () => {
  let held: FakeExchange | undefined;
  await using fake = await startFakeConsul((exchange) => {
    if (exchange.query.has('index')) held = exchange;
    else exchange.list({ 'Greeter/1': '127.0.0.1:1' }, '7');
  });
  const plugin = consul({ address: fake.address });
  await using reader = read(plugin, 'Greeter');
  const thrown = (async () => {
    for await (const _ of plugin.watch('Greeter', new AbortController().signal)) throw new Error('mine');
  })();
  await assert.rejects(thrown, /mine/);
  for await (const _ of plugin.watch('Greeter', new AbortController().signal)) break;
  await reader.untilAddresses('127.0.0.1:1');
  while (!held) await turns();
  held.list({ 'Greeter/2': '127.0.0.1:2' }, '8');
  await reader.untilAddresses('127.0.0.1:2');
});

test('W7: a deletion is delivered, and so is a first list that is empty', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul(({ list, path }, count) => {
    if (path.includes('Empty')) list({}, '3');
    else if (count === 1) list({ 'Greeter/1': '127.0.0.1:1' }, '9');
    else if (count === 2) list({}, '10');
  });
  await using reader = read(consul({ address: fake.address }), 'Greeter');
  await reader.untilAddresses('127.0.0.1:1');
  assert.deepEqual(await reader.next(), { kind: 'nodes', nodes: [] });
  await using empty = read(consul({ address: fake.address }), 'Empty');
  assert.deepEqual(await empty.next(), { kind: 'nodes', nodes: [] });
});

test('W10: when its last reader leaves, the query of a watch is taken back', TIME_LIMIT, async () => {
  let open = 0;
  await using fake = await startFakeConsul(({ list, query, response }) => {
    if (!query.has('index')) return list({ 'Greeter/1': '127.0.0.1:1' }, '7');
    open++;
    response.once('close', () => open--);
  });
  const plugin = consul({ address: fake.address });
  const [one, two] = [read(plugin, 'Greeter'), read(plugin, 'Greeter')];
  await Promise.all([one.untilAddresses('127.0.0.1:1'), two.untilAddresses('127.0.0.1:1')]);
  while (open === 0) await turns();
  await one.stop();
  await turns(50);
  assert.equal(open, 1, 'the other one still reads');
  await two.stop();
  while (open > 0) await turns();
});

test('F24: an agent that is restarted five times leaves one watch, which is right', TIME_LIMIT, async () => {
  await using agent = await startConsul();
  await using reader = read(consul({ address: agent.address }), 'Greeter');
  await reader.untilAddresses();
  const addresses: string[] = [];
  for (let round = 1; round <= 5; round++) {
    await agent.restart();
    await agent.put(`Greeter/${round}`, `127.0.0.1:${round}`);
    addresses.push(`127.0.0.1:${round}`);
    await reader.untilAddresses(...addresses);
  }
});

test(
  'F11: a thousand nodes that come at once and go again cost one connection, and one for each that is called',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul();
    await using proxy = await countingProxy(agent.address);
    const { engine, connects } = watched(memory());
    const resolver = consul({ address: proxy.address });
    await using client = new Client({ transport: engine, resolver, emptyListPolicy: 'obey', retry: false });
    const echo = client.service(defineService('crowd.Echo', { echo: unary<object, object>() }));
    await using reader = read(resolver, 'crowd.Echo');
    await reader.untilAddresses();
    const addresses = Array.from({ length: 1_000 }, (_, i) => `127.0.0.1:${10_000 + i}`);
    for (let at = 0; at < addresses.length; at += 50) {
      const some = addresses.slice(at, at + 50);
      await Promise.all(some.map((address) => agent.put(`crowd.Echo/${address}`, address)));
    }
    await reader.untilNodes(({ length }) => length === 1_000);
    // Nobody listens there, so that each call is sent to four nodes at most.
    await Promise.allSettled(Array.from({ length: 10 }, () => echo.echo({})));
    assert.ok(connects.length > 0 && connects.length <= 40, `${connects.length} connections for 10 calls`);
    assert.equal(new Set(connects).size, connects.length);
    await agent.request('DELETE', '/kv/crowd.Echo/?recurse');
    await reader.untilAddresses();
    assert.equal(client.watchState('crowd.Echo').kind, 'empty');
    assert.ok(proxy.most <= 2, `${proxy.most} connections to Consul at one time`);
  },
);

test('F16: a watch that is denied goes on with the token that its file holds later', TIME_LIMIT, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lictor-token-'));
  try {
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, 'revoked');
    await using fake = await startFakeConsul(({ request, query, send, list }) => {
      if (request.headers['x-consul-token'] !== 'valid') send(403, 'ACL not found');
      else if (!query.has('index')) list({ 'Greeter/1': '127.0.0.1:1' }, '7');
    });
    await using reader = read(consul({ address: fake.address, tokenFile }), 'Greeter');
    const error = await reader.untilFailure();
    assert.match(error.message, /key_prefix "Greeter\/" \{ policy = "read" \}/);
    assert.ok(!error.message.includes('revoked'));
    await writeFile(tokenFile, 'valid');
    await reader.untilAddresses('127.0.0.1:1');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('F6, F12, F15: whatever a registry answers, the last list is used', TIME_LIMIT, async () => {
  const Echo = defineService('kept.Echo', { echo: unary<object, object>() });
  const transport = memory();
  await using it = await pair(Echo, { echo: (message) => message }, { transport });
  const good = () => ({ 'kept.Echo/1': it.server.address });
  const answers: ((exchange: FakeExchange) => void)[] = [
    ({ list }) => list(good(), '100'),
    ({ send }) => send(200, '<html>', { 'content-type': 'text/html', 'x-consul-index': '101' }),
    ({ send }) => send(200, 'null', { 'x-consul-index': '102' }),
    ({ send }) => send(200, '[{"Key":', { 'x-consul-index': '103' }),
    ({ send }) => send(500, 'No cluster leader'),
    ({ send }) => send(429, 'too many'),
    ({ send }) => send(301, '', { location: '/x' }),
    ({ send }) => send(404, 'nothing here'),
    ({ list }) => list({}, '104', { 'x-consul-knownleader': 'false' }),
    ({ response }) =>
      void response.writeHead(200, { 'content-length': '9' }).write('[', () => response.destroy()),
    ({ request }) => void request.socket.destroy(),
    ({ list }) => list({}, 'abc'),
    ({ list }) => list(good(), '7'),
  ];
  await using fake = await startFakeConsul((exchange, count) => answers[count - 1]?.(exchange));
  const logger = recordingLogger();
  await using client = new Client({
    transport,
    logger,
    resolver: published({ address: fake.address, logger }),
    emptyListPolicy: 'obey',
  });
  const echo = client.service(Echo);
  while (fake.exchanges.length <= answers.length) {
    await echo.echo({});
    await turns(1);
  }
  assert.equal(client.watchState('kept.Echo').kind, 'ready');
  assert.deepEqual(
    logger.lines.map(({ message }) => message),
    ['the registry does not answer; the last list is kept', 'the registry answers again'],
    'one line for the outage, and one for its end',
  );
});

test('F10: a node that comes and goes ten times a second costs few connections', TIME_LIMIT, async () => {
  const Echo = defineService('flaps.Echo', { echo: unary<object, object>() });
  const transport = memory();
  await using it = await pair(Echo, { echo: (message) => message }, { transport });
  await using other = await pair(Echo, { echo: (message) => message }, { transport });
  const both = { 'flaps.Echo/1': it.server.address, 'flaps.Echo/2': other.server.address };
  const one = { 'flaps.Echo/1': it.server.address };
  const connects: string[] = [];
  const counting = {
    ...transport,
    connect(options: Parameters<typeof transport.connect>[0]) {
      connects.push(options.address);
      return transport.connect(options);
    },
  };
  let changes = 0;
  const started = performance.now();
  await using fake = await startFakeConsul(({ list }, count) => {
    if (count > 60) return;
    changes++;
    list(count % 2 ? both : one, String(count));
  });
  await using client = new Client({ transport: counting, resolver: published({ address: fake.address }) });
  const echo = client.service(Echo);
  while (changes < 60) {
    await echo.echo({});
    await turns(1);
  }
  // Two lists at once and then four a second, of which every second one adds the node again.
  const most = 2 + (2 * (performance.now() - started)) / 1_000;
  const times = connects.filter((address) => address === other.server.address).length;
  assert.ok(times >= 1 && times <= most, `${times} connections, at most ${most}`);
});
