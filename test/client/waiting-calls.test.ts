import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { Client, defineService, RpcError, Server, Status, silentLogger, unary } from 'lictor';
import { scriptedResolver } from '../scripted-resolver.js';

const LIMIT = { timeout: 20_000 };
const Place = defineService('waiting.Place', { where: unary<object, { address: string }>() });

async function started(): Promise<Server> {
  const server = new Server({ graceMs: 0, drainMs: 0, logger: silentLogger });
  server.registerService(Place, { where: () => ({ address: server.address }) });
  return server.serve();
}

/** Takes connections, and says nothing. */
async function mute() {
  const server = createServer((socket) => sockets.add(socket.on('error', () => {})));
  const sockets = new Set<{ destroy(): unknown }>();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connected: () => once(server, 'connection'),
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

for (const emptyListPolicy of ['grace', 'keep'] as const) {
  test(`${emptyListPolicy}: the call that finds a suspect gone is answered by another`, LIMIT, async () => {
    const a = await started();
    await using b = await started();
    const resolver = scriptedResolver();
    await using client = new Client({
      resolver,
      balancer: 'roundRobin',
      emptyListPolicy,
      logger: silentLogger,
    });
    const { where } = client.service(Place);
    resolver.nodes(a.address, b.address);
    const first = [await where({}), await where({})];
    assert.equal(new Set(first.map(({ address }) => address)).size, 2);
    resolver.nodes();
    await a.close();
    for (let i = 0; i < 4; i++) assert.equal((await where({})).address, b.address);
  });
}

test('a call that waits for a connection to a node that leaves goes to another', LIMIT, async () => {
  using silent = await mute();
  await using server = await started();
  const resolver = scriptedResolver();
  await using client = new Client({ resolver, logger: silentLogger });
  resolver.nodes(silent.address);
  const connected = silent.connected();
  const answer = client.service(Place).where({});
  await connected;
  resolver.nodes(server.address);
  assert.equal((await answer).address, server.address);
});

test('a call that waits for a connection when its client is closed is told so', LIMIT, async () => {
  using silent = await mute();
  const client = new Client({ target: silent.address, retry: false, logger: silentLogger });
  const connected = silent.connected();
  const answer = client.service(Place).where({});
  const told = assert.rejects(answer, (error) => {
    assert.ok(error instanceof RpcError);
    assert.equal(error.code, Status.UNAVAILABLE);
    assert.match(error.details, /was closed by this client/);
    return true;
  });
  await connected;
  await client.close();
  await told;
});
