import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type CallContext,
  clientStream,
  defineService,
  type Implementation,
  Metadata,
  RpcError,
  Server,
  Status,
  serverStream,
  unary,
} from 'lictor';
import type { EngineName } from '../../transport/named.js';
import { collect, failure, failures, stream } from '../contract/transport.js';
import { deferred } from '../deferred.js';
import { pair } from '../pair.js';
import { unprintable } from '../rpc/unprintable.js';

type Any = unknown;
const Faulty = defineService('handlers.Faulty', {
  one: unary<Any, Any>(),
  many: serverStream<Any, Any>(),
  sum: clientStream<Any, Any>(),
});
type Handlers = Partial<
  Record<keyof typeof Faulty.methods, (request: never, context: CallContext) => unknown>
>;
const LIMIT = { timeout: 20_000 };

const faulty = (handlers: Handlers, options: Parameters<typeof pair>[2] = {}) =>
  pair(Faulty, handlers as Implementation<typeof Faulty.methods>, options);

const never = () => new Promise<never>(() => {});
const throwing: Readonly<Record<string, () => unknown>> = {
  'an Error': () => new Error('the secret of the server'),
  'a text': () => 'the secret of the server',
  nothing: () => undefined,
  null: () => null,
  'a symbol': () => Symbol('the secret of the server'),
  'a plain object': () => ({ code: 7, details: 'the secret of the server', message: 'x' }),
  ...unprintable,
};

for (const transport of ['memory', 'h2', 'grpc-js'] as const satisfies EngineName[]) {
  describe(`F44: a handler over ${transport}`, () => {
    for (const [name, value] of Object.entries(throwing)) {
      test(
        `that throws ${name} fails its call without telling why, and the log knows under one id`,
        LIMIT,
        async () => {
          const { message } = {
            message: /^the handler failed; the server's log has it under ([0-9a-f]{8})$/,
          };
          const handlers: Record<string, Handlers> = {
            throws: {
              one: () => {
                throw value();
              },
            },
            rejects: { one: () => Promise.reject(value()) },
            'throws before its stream': {
              many: () => {
                throw value();
              },
            },
            'throws within its stream': {
              async *many() {
                yield 1;
                throw value();
              },
            },
            'throws with a stream of requests': {
              async sum(requests: AsyncIterable<unknown>) {
                for await (const _ of requests) throw value();
              },
            },
          };
          for (const [how, handler] of Object.entries(handlers)) {
            await using it = await faulty(handler, { transport });
            const error = await failure(
              handler.one
                ? it.api.one({})
                : handler.many
                  ? collect(it.api.many({}))
                  : it.api.sum(stream([1, 2])),
            );
            assert.equal(error.code, Status.UNKNOWN, how);
            const id = message.exec(error.details)?.[1];
            assert.ok(id, `${how}: ${error.details}`);
            assert.doesNotMatch(`${error.stack} ${String(error.cause)}`, /secret/);
            assert.equal(it.log.length, 1, how);
            assert.equal(it.log[0]!.level, 'error');
            assert.equal(it.log[0]!.fields.id, id);
            assert.match(String(it.log[0]!.fields.method), /^\/handlers\.Faulty\//);
          }
        },
      );
    }

    test('that throws an RpcError answers with it, and logs nothing', async () => {
      await using it = await faulty(
        {
          one: () => {
            throw new RpcError(Status.NOT_FOUND, 'no order 7', { cause: new Error('SQL') });
          },
        },
        { transport },
      );
      const error = await failure(it.api.one({}));
      assert.deepEqual([error.code, error.details], [Status.NOT_FOUND, 'no order 7']);
      assert.deepEqual(it.log, []);
    });

    test('that throws OK, or a code that does not exist, has failed all the same', LIMIT, async () => {
      for (const code of [Status.OK, 17, -1, 1.5, undefined, 'NOT_FOUND']) {
        const fail = () => {
          throw new RpcError(code as Status, 'odd');
        };
        await using it = await faulty({ one: fail, many: fail }, { transport });
        for (const error of await failures(it.api.one({}), collect(it.api.many({})))) {
          assert.deepEqual([error.code, error.details], [Status.UNKNOWN, 'odd']);
        }
      }
    });

    test(
      'that returns nothing, or no stream where one is wanted, is an error of the server',
      LIMIT,
      async () => {
        await using it = await faulty(
          { one: () => {}, sum: async () => {}, many: () => undefined },
          { transport },
        );
        for (const error of await failures(it.api.one({}), it.api.sum(stream([1])))) {
          assert.equal(error.code, Status.INTERNAL);
          assert.match(error.details, /returned nothing/);
        }
        for (const result of [undefined, null, 7, 'text', {}, [1, 2]]) {
          await using other = await faulty({ many: async () => result }, { transport });
          const error = await failure(collect(other.api.many({})));
          assert.equal(error.code, Status.INTERNAL);
          assert.match(error.details, /no AsyncIterable/);
        }
      },
    );

    test('that returns what cannot be written fails its call', LIMIT, async () => {
      const circle: Record<string, unknown> = {};
      circle.self = circle;
      async function* circles() {
        yield circle;
      }
      await using it = await faulty({ one: () => circle, many: circles, sum: () => 1n }, { transport });
      const calls = [it.api.one({}), collect(it.api.many({})), it.api.sum(stream([1]))];
      for (const error of await failures(...calls)) assert.equal(error.code, Status.INTERNAL);
      assert.equal(it.log.length, 3);
    });

    test('that answers by a thenable which calls back twice answers once', LIMIT, async () => {
      const twice = {
        // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
        then(resolve: (value: unknown) => void, reject: (reason: unknown) => void) {
          resolve({ n: 1 });
          resolve({ n: 2 });
          reject(new Error('three'));
        },
      };
      await using it = await faulty({ one: () => twice }, { transport, server: { maxConcurrentCalls: 1 } });
      for (let i = 0; i < 3; i++) assert.deepEqual(await it.api.one({}), { n: 1 });
    });

    test('that never settles ends for the client at the deadline, and hears of it', LIMIT, async () => {
      const aborted = deferred<RpcError>();
      const one = (_: unknown, { signal }: CallContext) => {
        signal.addEventListener('abort', () => aborted.resolve(signal.reason as RpcError));
        return never();
      };
      await using it = await faulty({ one }, { transport });
      await failure(it.client.call('/handlers.Faulty/None', {})); // It is connected now.
      assert.equal((await failure(it.api.one({}, { timeoutMs: 200 }))).code, Status.DEADLINE_EXCEEDED);
      // Over a wire the client's cancellation may be there before the server's own clock says so.
      const reasons: readonly Status[] = [Status.DEADLINE_EXCEEDED, Status.CANCELLED];
      assert.ok(reasons.includes((await aborted.promise).code));
    });

    test('that never settles ends without a deadline of the client, by the server’s own', LIMIT, async () => {
      const contexts: CallContext[] = [];
      const one = (_: unknown, context: CallContext) => {
        contexts.push(context);
        return never();
      };
      await using it = await faulty({ one }, { transport, server: { timeoutMs: 30 } });
      const error = await failure(it.api.one({}, { timeoutMs: Number.POSITIVE_INFINITY }));
      assert.equal(error.code, Status.DEADLINE_EXCEEDED);
      assert.match(error.details, /\/handlers\.Faulty\/One.*without a deadline/);
      assert.ok(contexts[0]!.remainingMs <= 0);
      assert.equal(contexts[0]!.signal.aborted, true);
    });

    test(
      'that answers after its call has ended is not heard, and its place is free again',
      LIMIT,
      async () => {
        const release = deferred();
        const done = deferred();
        let calls = 0;
        const one = async () => {
          if (++calls > 1) return { n: calls };
          await release.promise;
          setImmediate(done.resolve);
          return { n: 1 };
        };
        await using it = await faulty({ one }, { transport, server: { maxConcurrentCalls: 1 } });
        await failure(it.client.call('/handlers.Faulty/None', {})); // It is connected now.
        await failure(it.api.one({}, { timeoutMs: 200 }));
        const refused = await failure(it.api.one({}));
        assert.equal(refused.code, Status.RESOURCE_EXHAUSTED);
        release.resolve();
        await done.promise;
        assert.deepEqual(await it.api.one({}), { n: 2 });
      },
    );

    test('that stops because its call was cancelled has not failed', LIMIT, async () => {
      const arrived = deferred();
      const settled = deferred();
      const one = async (_: unknown, { signal }: CallContext) => {
        arrived.resolve();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        setImmediate(settled.resolve);
        throw new Error('stopped');
      };
      await using it = await faulty({ one }, { transport });
      const controller = new AbortController();
      const call = failure(it.api.one({}, { signal: controller.signal }));
      await arrived.promise;
      controller.abort();
      assert.equal((await call).code, Status.CANCELLED);
      await settled.promise;
      assert.deepEqual(it.log, []);
    });

    test('is not there: UNIMPLEMENTED, also for what every object inherits', LIMIT, async () => {
      const names = ['constructor', 'toString', 'hasOwnProperty', '__proto__', 'valueOf', '__defineGetter__'];
      const Inherited = defineService(
        'handlers.Inherited',
        Object.fromEntries(names.map((key) => [key, unary<Any, Any>({ name: key })])),
      );
      await using it = await pair(Inherited, {} as never, { transport });
      for (const name of names) {
        const error = await failure(it.client.call(`/handlers.Inherited/${name}`, {}));
        assert.equal(error.code, Status.UNIMPLEMENTED, name);
        assert.match(error.details, new RegExp(name));
      }
      await using other = await faulty({}, { transport });
      const calls = [other.api.one({}), collect(other.api.many({})), other.api.sum(stream([1]))];
      for (const error of await failures(...calls)) assert.equal(error.code, Status.UNIMPLEMENTED);
      for (const name of names) {
        const error = await failure(other.client.call(`/handlers.Faulty/${name}`, {}));
        assert.equal(error.code, Status.UNIMPLEMENTED, name);
        if (name.startsWith('_')) continue; // No service can be called that.
        const call = other.client.call(`/${name}/One`, {});
        assert.equal((await failure(call)).code, Status.UNIMPLEMENTED, name);
      }
      assert.deepEqual(other.log, []);
    });

    test('knows its call', LIMIT, async () => {
      const seen: CallContext[] = [];
      const one = (_: unknown, context: CallContext) => {
        seen.push(context);
        return {};
      };
      await using it = await faulty({ one }, { transport });
      const before = performance.now();
      await it.api.one({}, { timeoutMs: 60_000, metadata: { 'x-id': 'a1', 'y-bin': new Uint8Array([7]) } });
      await it.api.one({}, { timeoutMs: Number.POSITIVE_INFINITY });
      const [timed, untimed] = seen as [CallContext, CallContext];
      assert.equal(timed.service, 'handlers.Faulty');
      assert.equal(timed.method.path, '/handlers.Faulty/One');
      assert.equal(timed.metadata.get('x-id'), 'a1');
      assert.deepEqual([...timed.metadata.getBinary('y-bin')!], [7]);
      assert.deepEqual([...timed.metadata].map(([key]) => key).sort(), ['x-id', 'y-bin']);
      assert.ok(timed.deadline! > before + 30_000 && timed.deadline! < performance.now() + 60_100);
      assert.ok(timed.remainingMs > 0 && timed.remainingMs <= 60_100);
      assert.equal(timed.signal.aborted, false);
      assert.match(timed.peer.address, transport === 'memory' ? /^memory$/ : /^127\.0\.0\.1:\d+$/);
      assert.equal(timed.peer.certificate, undefined);
      // The server's own.
      assert.ok(untimed.remainingMs > 0 && untimed.remainingMs <= 60_000);
    });

    test('whose deadline has passed on arrival is never started', LIMIT, async () => {
      let started = 0;
      const start = () => {
        started++;
        return {};
      };
      await using it = await faulty({ one: start, sum: start }, { transport });
      for (let i = 0; i < 20; i++) {
        assert.equal((await failure(it.api.one({}, { timeoutMs: 0 }))).code, Status.DEADLINE_EXCEEDED);
        const sum = it.api.sum(stream([1]), { timeoutMs: 0 });
        assert.equal((await failure(sum)).code, Status.DEADLINE_EXCEEDED);
      }
      assert.equal(started, 0);
    });

    test('sends a header early or with its reply, and a trailer also when it fails', LIMIT, async () => {
      const go = deferred();
      const one = async (_: unknown, context: CallContext) => {
        context.header.set('x-early', '1');
        context.sendHeader();
        context.sendHeader();
        await go.promise;
        context.trailer.set('x-late', '2');
        throw new RpcError(Status.ABORTED, '', { metadata: new Metadata().set('x-error', '3') });
      };
      async function* many(_: unknown, context: CallContext) {
        context.header.set('x-early', '1');
        context.sendHeader();
        await go.promise;
        context.header.set('x-too-late', '1');
        yield 1;
      }
      await using it = await faulty({ one, many }, { transport });
      const header = deferred<Metadata>();
      const messages = collect(it.api.many({}, { onHeader: header.resolve }));
      assert.equal((await header.promise).get('x-early'), '1');
      const trailer = deferred<Metadata>();
      const call = failure(it.api.one({}, { onTrailer: trailer.resolve }));
      go.resolve();
      assert.equal((await call).metadata?.get('x-error'), '3');
      assert.equal((await trailer.promise).get('x-late'), '2');
      assert.deepEqual(await messages, [1]);
      assert.equal((await header.promise).has('x-too-late'), false);
    });
  });
}

test('a logger that throws takes no call and no process with it', async () => {
  const broken = () => {
    throw new Error('disk full');
  };
  const fail = () => {
    throw new Error('x');
  };
  const logger = { warn: broken, error: broken };
  await using it = await faulty({ one: fail, many: async () => fail() }, { server: { logger } });
  assert.equal((await failure(it.api.one({}))).code, Status.UNKNOWN);
  assert.equal((await failure(collect(it.api.many({})))).code, Status.UNKNOWN);
});

test('the health service is there by itself, and one’s own takes its place', async () => {
  const Own = defineService('grpc.health.v1.Health', { check: unary<Any, Any>() });
  await using it = await pair(Own, { check: () => ({ own: true }) });
  assert.deepEqual(await it.api.check({}), { own: true });
  assert.ok(it.server instanceof Server);
});
