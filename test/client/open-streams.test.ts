import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bidi, Client, defineService, Server, serverStream, silentLogger, unary } from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { deferred } from '../deferred.js';

const { methods } = defineService('open.Feed', {
  watch: serverStream<object, object>(),
  talk: bidi<object, object>(),
});
const Older = defineService('open.Feed', methods);
const Feed = defineService('open.Feed', { ...methods, added: unary<object, object>() });

for (const kind of ['watch', 'talk'] as const) {
  test(`a node with an open stream (${kind}) is not left out for a method that it lacks`, {
    timeout: 20_000,
  }, async () => {
    const end = deferred<void>();
    const streams = {
      async *watch() {
        yield {};
        await end.promise;
      },
      async *talk() {
        yield {};
        await end.promise;
      },
    };
    const options = { graceMs: 0, logger: silentLogger };
    await using older = new Server(options);
    await using newer = new Server(options);
    older.registerService(Older, streams);
    newer.registerService(Feed, { ...streams, added: () => ({}) });
    const servers = [older, newer];
    for (const server of servers) await server.serve();
    // No call that went well counts for long, as after some time of streams alone.
    const ejection = { windowMs: 1 };
    const resolver = fixed(servers.map(({ address }) => address));
    await using client = new Client({
      resolver,
      ...options,
      balancer: 'roundRobin',
      ejection,
      slowStartMs: 0,
    });
    const api = client.service(Feed);
    const open = servers.map(() =>
      (kind === 'watch' ? api.watch({}) : api.talk(none()))[Symbol.asyncIterator](),
    );
    for (const stream of open) await stream.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (let i = 0; i < 20; i++) await api.added({});
    const left = () =>
      client
        .explain('open.Feed')
        .nodes.filter(({ eligible }) => !eligible)
        .map(({ node }) => node.address);
    assert.deepEqual(left(), []);

    end.resolve();
    for (const stream of open) assert.equal((await stream.next()).done, true);
    await new Promise((resolve) => setTimeout(resolve, 1_010));
    for (let i = 0; i < 20; i++) await api.added({});
    assert.deepEqual(left(), [older.address]);
  });
}

async function* none(): AsyncGenerator<object, void> {}
