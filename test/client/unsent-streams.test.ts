import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bidi, Client, defineService, Server, silentLogger } from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { collect, stream } from '../contract/transport.js';
import { fleet } from './fleet.js';

test('a stream goes on to the next node while none has seen it', async () => {
  await using it = await fleet(['b:1'], { balancer: 'roundRobin' });
  it.resolver.nodes('a:1', 'b:1');
  for (let i = 0; i < 4; i++) {
    for await (const { address } of it.api.stream({}, { onHeader: () => {} })) {
      assert.equal(address, 'b:1');
      break;
    }
  }
});

test('a stream of requests goes on to the next node while nobody has asked for the first', async () => {
  const Echo = defineService('unsent.Echo', { chat: bidi<{ n: number }, { n: number }>() });
  await using server = new Server({ logger: silentLogger, graceMs: 0 });
  await server.registerService(Echo, { chat: (requests) => requests }).serve();
  // Nobody listens on port 1.
  const resolver = fixed(['127.0.0.1:1', server.address]);
  await using client = new Client({ resolver, balancer: 'roundRobin', logger: silentLogger, graceMs: 0 });
  const api = client.service(Echo);
  for (let i = 0; i < 4; i++) assert.deepEqual(await collect(api.chat(stream([{ n: i }]))), [{ n: i }]);
});
