import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import {
  Client,
  defineService,
  type Engine,
  memory,
  RpcError,
  Server,
  type ServerOptions,
  Status,
  silentLogger,
  unary,
} from 'lictor';
import { failure } from '../contract/transport.js';
import { deferred, turns } from '../deferred.js';
import { recordingLogger } from '../plugin/log.js';
import { recordingPlugin } from './plugin.js';

const Echo = defineService('lifecycle.Echo', { echo: unary<{ n: number }, { n: number }>() });
const LIMIT = { timeout: 20_000 };

function serverOf(options: ServerOptions = {}, echo = async (m: { n: number }) => m): Server {
  const server = new Server({
    transport: memory(),
    logger: silentLogger,
    graceMs: 0,
    drainMs: 0,
    ...options,
  });
  return server.registerService(Echo, { echo });
}

describe('options of a server', () => {
  for (const [name, value, message] of [
    ['address', 'localhost', /no port/],
    ['address', 'http://a:1', /"http:\/\/a:1"/],
    ['transport', 'carrier-pigeon', /transport: one of grpc-js, h2, memory.*"carrier-pigeon"/],
    ['compression', 'brotli', /"brotli".*gzip/],
    ['timeoutMs', Number.NaN, /timeoutMs.*got NaN/],
    ['timeoutMs', -1, /timeoutMs.*got -1/],
    ['graceMs', -1, /graceMs.*got -1/],
    ['graceMs', Number.NaN, /graceMs.*got NaN/],
    ['drainMs', '5', /drainMs.*got 5/],
    ['maxMessageBytes', 0, /maxMessageBytes.*got 0/],
    ['maxDecodedBytes', 0, /maxDecodedBytes.*got 0/],
    ['maxDecodedBytes', '5', /maxDecodedBytes.*got 5/],
    ['weight', -5, /weight.*got -5/],
    ['weight', 'a', /weight.*got a/],
    ['tags', 'x', /tags: a list.*"x"/],
    ['zone', 5, /zone: text.*number/],
    ['advertise', 8000, /advertise: text.*number/],
    ['meta', { a: 5 }, /meta: texts.*5/],
    ['plugins', [{}], /plugins: a plugin is wanted/],
    ['maxMetadataBytes', -5, /maxMetadataBytes.*got -5/],
    ['maxConcurrentCalls', 0, /maxConcurrentCalls.*got 0/],
    ['maxStreamsPerConnection', Number.NaN, /maxStreamsPerConnection.*got NaN/],
    ['maxConnectionsPerAddress', 0, /maxConnectionsPerAddress.*got 0/],
  ] as const) {
    test(`${name}: ${JSON.stringify(value)} is refused when the server is made`, () => {
      assert.throws(() => new Server({ [name]: value } as ServerOptions), message);
    });
  }

  test('making a server opens nothing', async () => {
    const plugin = recordingPlugin();
    new Server({ plugins: [plugin] });
    assert.deepEqual(plugin.events, []);
  });
});

describe('the life of a server', () => {
  test('serving twice is serving once', async () => {
    let listens = 0;
    const engine = memory();
    const counting: Engine = {
      ...engine,
      listen(options) {
        listens++;
        return engine.listen(options);
      },
    };
    const plugin = recordingPlugin();
    await using server = serverOf({ transport: counting, plugins: [plugin] });
    const [first, second] = await Promise.all([server.serve(), server.serve()]);
    assert.equal(first, server);
    assert.equal(second, server);
    await server.serve();
    assert.equal(listens, 1);
    assert.equal(plugin.requests.length, 1);
  });

  test('an address is there from serve() on, with its port', async () => {
    await using server = serverOf();
    assert.throws(() => server.address, { code: Status.FAILED_PRECONDITION, message: /before serve/ });
    await server.serve();
    assert.match(server.address, /^127\.0\.0\.1:[1-9]\d*$/);
  });

  test('closing twice, and closing what never served, is harmless', async () => {
    const server = await serverOf().serve();
    await Promise.all([server.close(), server.close()]);
    await server.close();
    const never = serverOf();
    await never.close();
    await never.closeNow();
  });

  test('a closed server does not serve, and says so by a rejection', async () => {
    const server = serverOf();
    await server.close();
    const serving = server.serve();
    await assert.rejects(serving, { code: Status.FAILED_PRECONDITION, message: /closed/ });
    const served = await serverOf().serve();
    await served.close();
    await served.serve(); // It is the same promise, and opens nothing.
  });

  test('a service registered too late or twice is refused', async () => {
    await using server = serverOf();
    assert.throws(() => server.registerService(Echo, { echo: (m) => m }), {
      code: Status.ALREADY_EXISTS,
      message: /lifecycle\.Echo/,
    });
    void server.serve();
    const other = defineService('lifecycle.Other', {});
    assert.throws(() => server.registerService(other, {}), { code: Status.FAILED_PRECONDITION });
  });

  test('an implementation with a method too many, or one that is no function, is refused', () => {
    const server = new Server();
    assert.throws(
      () => server.registerService(Echo, { echo: 1 } as never),
      /echo must be a function, got number/,
    );
    assert.throws(
      () => server.registerService(Echo, { echo: () => {}, ecko: () => {} } as never),
      /has no method ecko; it has echo/,
    );
    class Implementation {
      readonly #secret = 7;
      echo = () => ({ n: this.#secret });
      private help() {}
      touch = 1;
      also() {
        this.help();
      }
    }
    server.registerService(Echo, new Implementation());
  });

  test('a handler that is a method of a class has its this', async () => {
    class Counter {
      #count = 0;
      echo({ n }: { n: number }) {
        this.#count += n;
        return { n: this.#count };
      }
    }
    const transport = memory();
    await using server = new Server({ transport, logger: silentLogger });
    await server.registerService(Echo, new Counter()).serve();
    await using client = new Client({ transport, target: server.address });
    await client.service(Echo).echo({ n: 2 });
    assert.deepEqual(await client.service(Echo).echo({ n: 3 }), { n: 5 });
  });

  test('closing during the start lets it end first, and then leaves the registry', async () => {
    const listing = deferred();
    const plugin = recordingPlugin({ init: () => listing.promise });
    const server = serverOf({ plugins: [plugin] });
    const served = server.serve();
    const closed = server.close();
    await turns();
    assert.deepEqual(plugin.events, ['recording init']);
    listing.resolve();
    await served;
    await closed;
    assert.deepEqual(plugin.events, ['recording init', 'recording listed', 'recording removed']);
  });

  test(
    'closing at once does not wait for a start that hangs, and undoes it when it ends',
    LIMIT,
    async () => {
      const listing = deferred();
      const started = deferred();
      const plugin = recordingPlugin({
        init: () => {
          started.resolve();
          return listing.promise;
        },
      });
      const transport = memory();
      const server = serverOf({ plugins: [plugin], transport, address: '127.0.0.1:7' });
      const served = server.serve();
      await started.promise;
      await server.closeNow();
      await using second = serverOf({ transport, address: '127.0.0.1:7' });
      await second.serve();
      listing.resolve();
      await assert.rejects(served, { code: Status.FAILED_PRECONDITION });
      assert.deepEqual(plugin.events, ['recording init', 'recording listed', 'recording removed']);
    },
  );

  test('closing at once cuts short a close that is under way', LIMIT, async () => {
    const arrived = deferred();
    const transport = memory();
    const server = serverOf(
      { transport, drainMs: 600_000, graceMs: 600_000, plugins: [recordingPlugin()] },
      () => {
        arrived.resolve();
        return new Promise(() => {});
      },
    );
    await server.serve();
    await using client = new Client({ transport, target: server.address, graceMs: 0 });
    const call = failure(client.service(Echo).echo({ n: 1 }));
    await arrived.promise;
    const closing = server.close();
    await turns();
    await server.closeNow();
    await closing;
    assert.equal((await call).code, Status.UNAVAILABLE);
  });

  test('closing at once does not wait for a registry that hangs', LIMIT, async () => {
    const plugin = recordingPlugin({ dispose: () => new Promise(() => {}) });
    const server = await serverOf({ plugins: [plugin] }).serve();
    const closing = server.close();
    await turns();
    await server.closeNow();
    await closing;
    assert.equal(plugin.events.at(-1), 'recording removed');
  });

  test('a grace without end waits for the call and no longer', LIMIT, async () => {
    const arrived = deferred();
    const held = deferred();
    const transport = memory();
    const server = serverOf({ transport, graceMs: Number.POSITIVE_INFINITY }, async (message) => {
      arrived.resolve();
      await held.promise;
      return message;
    });
    await server.serve();
    await using client = new Client({ transport, target: server.address });
    const call = client.service(Echo).echo({ n: 1 });
    await arrived.promise;
    const closing = server.close();
    // Longer than the one millisecond that Node makes of a timer that is too long.
    await new Promise((resolve) => setTimeout(resolve, 20));
    held.resolve();
    assert.deepEqual(await call, { n: 1 });
    await closing;
  });

  test('a start that fails in a plugin rejects when its port is closed and the other registries have forgotten it', async () => {
    const events: string[] = [];
    const good = recordingPlugin({ name: 'good', events });
    const bad = recordingPlugin({
      name: 'bad',
      events,
      init: async () => {
        throw new RpcError(Status.UNAVAILABLE, 'no registry here');
      },
    });
    const never = recordingPlugin({ name: 'never', events });
    const server = serverOf({ transport: 'grpc-js', plugins: [good, bad, never], drainMs: 600_000 });
    await assert.rejects(server.serve(), { code: Status.UNAVAILABLE, details: 'no registry here' });
    assert.deepEqual(events, ['good init', 'good listed', 'bad init', 'good removed']);
    const port = Number(good.requests[0]!.address.split(':')[1]);
    const taken = createServer();
    await new Promise<void>((resolve, reject) => {
      taken.on('error', reject).listen(port, '127.0.0.1', resolve);
    });
    await new Promise((resolve) => taken.close(resolve));
    await server.close();
  });

  test('a start without an address that can be had rejects, and starts no plugin', async () => {
    const transport = memory();
    await using first = await serverOf({ transport }).serve();
    const plugin = recordingPlugin();
    const second = serverOf({ transport, address: first.address, plugins: [plugin] });
    await assert.rejects(second.serve(), { code: Status.UNAVAILABLE, message: /in use/ });
    assert.deepEqual(plugin.events, []);
    await second.close();
  });

  test('an entry that cannot be removed is logged, and the server closes', async () => {
    const logger = recordingLogger();
    const plugin = recordingPlugin({
      dispose: async () => {
        throw new Error('registry gone');
      },
    });
    const other = recordingPlugin({ name: 'other' });
    const server = await serverOf({ plugins: [plugin, other], logger }).serve();
    await server.close();
    assert.equal(logger.lines.length, 1);
    assert.equal(logger.lines[0]!.level, 'warn');
    assert.match(String(logger.lines[0]!.fields.error), /registry gone/);
    assert.equal(other.events.at(-1), 'other removed');
  });

  test('it leaves in an order in which no client is sent to it in vain', async () => {
    const events: string[] = [];
    const engine = memory();
    const transport: Engine = {
      ...engine,
      async listen(options) {
        const listener = await engine.listen(options);
        events.push('listening');
        return {
          address: listener.address,
          close(graceMs) {
            events.push('refusing calls');
            return listener.close(graceMs);
          },
        };
      },
    };
    const server = serverOf({ transport, plugins: [recordingPlugin({ name: 'entry', events })], drainMs: 1 });
    await server.serve();
    await server.close();
    assert.deepEqual(events, ['listening', 'entry init', 'entry listed', 'entry removed', 'refusing calls']);
  });
});
