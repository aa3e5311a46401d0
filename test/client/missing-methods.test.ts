import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  bidi,
  Client,
  type ClientOptions,
  clientStream,
  defineService,
  RpcError,
  Server,
  Status,
  serverStream,
  unary,
} from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { collect, stream } from '../contract/transport.js';
import { recordingLogger } from '../plugin/log.js';

// Nodes of which some are of an older release, and do not have a method yet.

const LIMIT = { timeout: 20_000 };
type At = { at: number };
const Store = defineService('store.Store', {
  old: unary<object, At>(),
  added: unary<object, At>(),
  readAdded: unary<object, At>({ idempotent: true }),
  listAdded: serverStream<object, At>(),
  sumAdded: clientStream<object, At>(),
  chatAdded: bidi<object, At>(),
});
const Other = defineService('store.Other', { x: unary<object, object>() });
const NEW = ['added', 'readAdded', 'listAdded', 'sumAdded', 'chatAdded'] as const;

type Transport = 'h2' | 'grpc-js' | 'memory';
type Kind = 'new' | 'old' | 'another' | 'foreign';

/**
 * Servers of these kinds: `new` has all methods, `old` only one of them, `another` has another service at its address, and
 * `foreign` lacks the methods as servers of others do, without a word on whether they have run.
 */
async function store(
  kinds: readonly Kind[],
  options: ClientOptions = {},
  transport: Transport = 'h2',
  more: readonly string[] = [],
) {
  const logger = recordingLogger();
  /** Calls by server, as they came. */
  const came: string[][] = kinds.map(() => []);
  /** How many calls of its service's methods, whether it has them or not. */
  const asked = kinds.map(() => 0);
  const servers: Server[] = [];
  for (const [at, kind] of kinds.entries()) {
    const saw = (name: string) => {
      came[at]!.push(name);
      if (kind === 'foreign' && name !== 'old') throw new RpcError(Status.UNIMPLEMENTED, 'no such method');
      return { at };
    };
    const server = new Server({
      transport,
      logger,
      graceMs: 0,
      interceptors: [
        (call, next) => {
          asked[at]!++;
          return next(call);
        },
      ],
    });
    const old = { old: () => saw('old') };
    const added = {
      added: () => saw('added'),
      readAdded: () => saw('readAdded'),
      async *listAdded() {
        yield saw('listAdded');
      },
      async sumAdded(requests: AsyncIterable<object>) {
        for await (const _ of requests);
        return saw('sumAdded');
      },
      async *chatAdded(requests: AsyncIterable<object>) {
        for await (const _ of requests) yield saw('chatAdded');
      },
    };
    if (kind === 'another') server.registerService(Other, { x: () => ({}) });
    else if (kind === 'old') server.registerService(Store, old as typeof old & typeof added);
    else server.registerService(Store, { ...old, ...added });
    await server.serve();
    servers.push(server);
  }
  const client = new Client({
    resolver: fixed([...servers.map(({ address }) => address), ...more]),
    transport,
    logger,
    balancer: 'roundRobin',
    slowStartMs: 0,
    retry: false,
    ...options,
  });
  const api = client.service(Store);
  return {
    api,
    client,
    came,
    asked,
    isOut() {
      const { nodes } = client.explain('store.Store');
      return servers.map(
        ({ address }) => nodes.find(({ node }) => node.address === address)?.eligible === false,
      );
    },
    async old(calls: number): Promise<readonly number[]> {
      const share = kinds.map(() => 0);
      for (let i = 0; i < calls; i++) share[(await api.old({})).at]!++;
      return share;
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await Promise.all(servers.map((server) => server.closeNow()));
    },
  };
}

const failure = (call: Promise<unknown>): Promise<RpcError> =>
  call.then(
    () => assert.fail('it went well'),
    (error: RpcError) => error,
  );
const none = () => stream([]);
type Api = Awaited<ReturnType<typeof store>>['api'];
const calls: Record<(typeof NEW)[number], (api: Api) => Promise<unknown>> = {
  added: (api) => api.added({}),
  readAdded: (api) => api.readAdded({}),
  listAdded: (api) => collect(api.listAdded({})),
  sumAdded: (api) => api.sumAdded(none()),
  chatAdded: (api) => collect(api.chatAdded(none())),
};

for (const transport of ['h2', 'grpc-js', 'memory'] as const) {
  describe(`a method that a node does not have, on ${transport}`, LIMIT, () => {
    for (const kind of ['old', 'another'] as const) {
      for (const name of NEW) {
        test(`${name} is refused by a node that is ${kind} as certain not to have run`, async () => {
          await using it = await store([kind], {}, transport);
          const error = await failure(calls[name](it.api));
          assert.deepEqual([error.status, error.maybeExecuted], ['UNIMPLEMENTED', false]);
          assert.match(error.details, /does not implement the method/i);
          assert.equal(error.metadata?.get('lictor-not-executed'), undefined);
        });
      }
      for (const name of ['added', 'readAdded', 'listAdded'] as const) {
        test(`${name} goes on to a node that has it from ones that are ${kind}`, async () => {
          await using it = await store([kind, kind, 'new', kind, kind, kind], {}, transport);
          for (let i = 0; i < 20; i++) await calls[name](it.api);
          assert.equal(it.came[2]!.length, 20);
        });
      }
    }

    test('an UNIMPLEMENTED of a handler is its own, and may have run', async () => {
      await using it = await store(['foreign', 'new'], {}, transport);
      const errors: RpcError[] = [];
      for (let i = 0; i < 4; i++) await it.api.added({}).catch((error: RpcError) => errors.push(error));
      assert.deepEqual(
        errors.map(({ status, maybeExecuted }) => [status, maybeExecuted]),
        [
          ['UNIMPLEMENTED', true],
          ['UNIMPLEMENTED', true],
        ],
      );
    });
  });
}

describe('a node of an older release', LIMIT, () => {
  test('keeps the calls of its other methods', async () => {
    await using it = await store(['old', 'new', 'new', 'new']);
    assert.deepEqual(await it.old(40), [10, 10, 10, 10]);
    for (let i = 0; i < 60; i++) assert.notEqual((await it.api.added({})).at, 0);
    assert.deepEqual(await it.old(40), [10, 10, 10, 10]);
    assert.deepEqual(it.isOut(), [false, false, false, false]);
  });

  test('keeps them also when none of its other methods has been called before', async () => {
    await using it = await store(['old', 'new', 'new', 'new']);
    for (let i = 0; i < 4; i++) await it.api.added({});
    assert.deepEqual(await it.old(40), [10, 10, 10, 10]);
  });

  test('is asked for the method once a second and not with each call', async () => {
    await using it = await store(['old', 'new']);
    await it.old(2);
    const before = performance.now();
    for (let i = 0; i < 100; i++) await it.api.added({});
    const seconds = Math.ceil((performance.now() - before) / 1_000);
    assert.ok(it.asked[0]! <= 1 + seconds, `${it.asked[0]} calls in ${seconds} s`);
  });

  test('refuses once a call of a method that none has, and then one node is asked and not all', async () => {
    await using it = await store(['old', 'old', 'old']);
    await it.old(3);
    await failure(it.api.added({}));
    assert.deepEqual(it.asked, [2, 2, 2]);
    const before = performance.now();
    for (let i = 0; i < 30; i++) {
      const error = await failure(it.api.added({}));
      assert.deepEqual([error.status, error.maybeExecuted], ['UNIMPLEMENTED', false]);
    }
    const seconds = Math.ceil((performance.now() - before) / 1_000);
    const asked = it.asked.reduce((sum, count) => sum + count, 0) - 6;
    assert.ok(asked <= 30 + 3 * seconds, `${asked} in ${seconds} s`);
    assert.deepEqual(it.isOut(), [false, false, false]);
  });

  test('fails one stream of requests that were read, which has not run, and the next ones go elsewhere', async () => {
    for (const name of ['sumAdded', 'chatAdded'] as const) {
      await using it = await store(['old', 'new']);
      await it.old(2);
      const errors: RpcError[] = [];
      for (let i = 0; i < 20; i++) await calls[name](it.api).catch((error: RpcError) => errors.push(error));
      assert.deepEqual(
        errors.map(({ status, maybeExecuted }) => [status, maybeExecuted]),
        [['UNIMPLEMENTED', false]],
      );
    }
  });

  test('costs nothing of the budget of retries', async () => {
    await using it = await store(['old', 'new'], { retry: { budget: { share: 0, perSecond: 0 } } });
    for (let i = 0; i < 20; i++) await it.api.readAdded({});
  });

  test('does not end a hedged call that a node with the method may still answer', async () => {
    await using it = await store(['new', 'old'], { retry: { hedgeAfterMs: 0, attempts: 2 } });
    for (let i = 0; i < 30; i++) assert.equal((await it.api.readAdded({})).at, 0);
  });
});

describe('a server of others that does not have a method', LIMIT, () => {
  test('keeps the calls of its other methods', async () => {
    await using it = await store(['foreign', 'new']);
    await it.old(10);
    for (let i = 0; i < 60; i++) await it.api.added({}).catch(() => {});
    assert.deepEqual(await it.old(40), [20, 20]);
  });

  test('is out when all calls are answered so', async () => {
    await using it = await store(['foreign', 'new']);
    let failed = 0;
    for (let i = 0; i < 60; i++) await it.api.added({}).catch(() => failed++);
    assert.equal(failed, 5);
    assert.deepEqual(it.isOut(), [true, false]);
  });

  test('costs no call of an idempotent method', async () => {
    await using it = await store(['foreign', 'new'], { retry: {} });
    await it.old(2);
    for (let i = 0; i < 20; i++) {
      assert.equal((await it.api.readAdded({})).at, 1);
      assert.equal((await it.api.added({}, { idempotent: true })).at, 1);
      assert.deepEqual(await collect(it.api.listAdded({}, { idempotent: true })), [{ at: 1 }]);
    }
    assert.ok((await failure(Promise.all([it.api.added({}), it.api.added({})]))).maybeExecuted);
  });

  test('costs none of the others either with `retry.unimplemented`', async () => {
    await using it = await store(['foreign', 'new'], { retry: { unimplemented: true } });
    await it.old(2);
    for (let i = 0; i < 20; i++) {
      assert.equal((await it.api.added({})).at, 1);
      assert.deepEqual(await collect(it.api.listAdded({})), [{ at: 1 }]);
    }
  });

  test('is asked for a call that goes on within the budget of retries', async () => {
    const retry = { unimplemented: true, budget: { share: 0, perSecond: 0.5 } };
    await using it = await store(['foreign', 'new'], { retry });
    await it.old(2);
    let failed = 0;
    for (let i = 0; i < 40; i++) await it.api.added({}).catch(() => failed++);
    // One of those that it was asked was the call of its other method.
    assert.equal(it.asked[0]! - 1 - failed, 5);
  });

  test('hedges go on too', async () => {
    await using it = await store(['foreign', 'new'], { retry: { hedgeAfterMs: 1_000 } });
    await it.old(2);
    for (let i = 0; i < 20; i++) assert.equal((await it.api.readAdded({})).at, 1);
  });

  test('says at once so of a method that none has', async () => {
    await using it = await store(['foreign', 'foreign', 'foreign'], {
      retry: { minDelayMs: 5_000, maxDelayMs: 5_000 },
    });
    const error = await failure(it.api.readAdded({}, { timeoutMs: 2_000 }));
    assert.deepEqual([error.status, error.maybeExecuted], ['UNIMPLEMENTED', true]);
    assert.deepEqual(
      it.came.map((names) => names.length),
      [1, 1, 1],
    );
  });
});

test(
  'a call is told why the only node with its method has failed, and not that the others lack it',
  LIMIT,
  async () => {
    // Nobody listens on port 1.
    await using it = await store(['old', 'old'], {}, 'h2', ['127.0.0.1:1']);
    const error = await failure(it.api.added({}));
    assert.deepEqual([error.status, error.maybeExecuted], ['UNAVAILABLE', false]);
  },
);

test('retry.unimplemented is true or false', () => {
  assert.throws(() => new Client({ retry: { unimplemented: 'yes' as never } }), {
    name: 'TypeError',
    message: 'retry.unimplemented: true or false, got yes',
  });
});
