import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { consul } from '../../plugin/consul/consul.js';
import { silentLogger } from '../../rpc/log.js';
import { startConsul } from '../consul/agent.js';
import { type FakeExchange, startFakeConsul } from '../consul/fake.js';
import { read } from '../contract/reader.js';
import { turns } from '../deferred.js';

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
