import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Client, defineService, memory, Server, Status, silentLogger } from 'lictor';
import { Health } from '../../server/health.js';
import type { EngineName } from '../../transport/named.js';
import { failure } from '../contract/transport.js';
import { deferred } from '../deferred.js';
import { recordingPlugin } from './plugin.js';

const Empty = defineService('health.Empty', {});
const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;
const LIMIT = { timeout: 20_000 };

for (const name of ['memory', 'h2', 'grpc-js'] as const satisfies EngineName[]) {
  describe(`the health service over ${name}`, () => {
    const start = async (dispose?: () => Promise<void>) => {
      const transport = name === 'memory' ? memory() : name;
      const server = new Server({
        transport,
        logger: silentLogger,
        graceMs: 600_000,
        drainMs: 0,
        plugins: dispose ? [recordingPlugin({ dispose })] : [],
      });
      await server.registerService(Empty, {}).serve();
      const client = new Client({ transport, target: server.address, graceMs: 0 });
      return {
        server,
        health: client.service(Health.service),
        async [Symbol.asyncDispose]() {
          await client.close();
          await server.closeNow();
        },
      };
    };

    test('says that the server and its services are serving, and which it does not know', LIMIT, async () => {
      await using it = await start();
      assert.deepEqual(await it.health.check({}), { status: SERVING });
      assert.deepEqual(await it.health.check({ service: 'health.Empty' }), { status: SERVING });
      for (const service of ['health.Other', '__proto__', 'x'.repeat(10_000)]) {
        const error = await failure(it.health.check({ service }));
        assert.equal(error.code, Status.NOT_FOUND);
        assert.ok(error.details.length < 300);
      }
    });

    test('says NOT_SERVING before the server leaves the registry', LIMIT, async () => {
      const statuses: number[] = [];
      const { promise: removed, resolve } = deferred();
      let check = async () => {};
      await using it = await start(async () => {
        await check();
        resolve();
      });
      check = async () => {
        for (const service of ['', 'health.Empty'])
          statuses.push((await it.health.check({ service })).status);
      };
      const closed = it.server.close();
      await removed;
      await closed;
      assert.deepEqual(statuses, [NOT_SERVING, NOT_SERVING]);
    });

    test('a watch tells every change once, and ends so that the server can close', LIMIT, async () => {
      await using it = await start();
      const watches = ['', 'health.Empty', 'health.Other'].map((service) =>
        it.health.watch({ service })[Symbol.asyncIterator](),
      );
      const firsts = await Promise.all(watches.map((watch) => watch.next()));
      assert.deepEqual(
        firsts.map(({ value }) => value),
        [{ status: SERVING }, { status: SERVING }, { status: SERVICE_UNKNOWN }],
      );
      const nexts = watches.map((watch) => watch.next());
      await it.server.close();
      assert.deepEqual(await Promise.all(nexts), [
        { done: false, value: { status: NOT_SERVING } },
        { done: false, value: { status: NOT_SERVING } },
        { done: true, value: undefined },
      ]);
      for (const watch of watches) assert.equal((await watch.next()).done, true);
    });

    test('a watch that is left is forgotten', LIMIT, async () => {
      await using it = await start();
      for (let i = 0; i < 20; i++) for await (const _ of it.health.watch({})) break;
      await it.server.close();
    });
  });
}
