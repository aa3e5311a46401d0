import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  Client,
  defineService,
  Metadata,
  memory,
  RpcError,
  Server,
  type ServerOptions,
  Status,
  serverStream,
  silentLogger,
  unary,
} from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { Health } from '../../../server/health.js';
import { Overstays, type Placed } from '../../../server/overload/overstays.js';
import { priorityOf } from '../../../server/overload/priority.js';
import { collect } from '../../contract/transport.js';
import { deferred, turns } from '../../deferred.js';
import { pair } from '../../pair.js';

type N = { n: number };
const Busy = defineService('overload.Busy', {
  block: unary<N, N>(),
  hang: unary<N, N>(),
  count: serverStream<N, N>(),
});
const LIMIT = { timeout: 20_000 };

const block = ({ n }: N) => {
  for (const end = performance.now() + 5; performance.now() < end; );
  return { n };
};
const implementation = {
  block,
  hang: () => new Promise<N>(() => {}),
  async *count({ n }: N) {
    yield { n };
  },
};

for (const transport of ['memory', 'h2', 'grpc-js'] as const) {
  describe(`a server over ${transport} that is sent too much`, () => {
    test('runs what it can and refuses the rest, which has not run', LIMIT, async () => {
      let ran = 0;
      const counting = {
        ...implementation,
        block(message: N) {
          ran++;
          return block(message);
        },
      };
      await using it = await pair(Busy, counting, {
        transport,
        server: { overload: { burstMs: 100 } },
        client: { retry: { attempts: 1 } },
      });
      const calls = Array.from({ length: 400 }, (_, n) => it.api.block({ n }));
      const ends = await Promise.allSettled(calls);
      const refused = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as RpcError] : []));
      // How many is a matter of time, which the client takes from the same event loop.
      assert.ok(refused.length > 50 && refused.length < 400, `${refused.length} of 400`);
      for (const error of refused) {
        assert.ok(error instanceof RpcError);
        assert.deepEqual([error.code, error.maybeExecuted], [Status.RESOURCE_EXHAUSTED, false]);
      }
      assert.equal(ran, 400 - refused.length);
      assert.equal(it.server.load.refused, refused.length);
      assert.deepEqual([it.server.load.queued, it.server.load.inFlight], [0, 0]);
      assert.deepEqual(await it.api.block({ n: 1 }), { n: 1 }, 'and is well afterwards');
    });

    test('says that it is well', LIMIT, async () => {
      await using it = await pair(Busy, implementation, {
        transport,
        server: { overload: { burstMs: 0, standingMs: 0, maxQueued: 1 } },
        client: { retry: { attempts: 1 } },
      });
      const calls = Promise.allSettled(Array.from({ length: 50 }, (_, n) => it.api.block({ n })));
      const health = it.client.service(Health.service);
      const said = await Promise.all(Array.from({ length: 20 }, () => health.check({ service: '' })));
      assert.deepEqual(new Set(said.map(({ status }) => status)), new Set([1]));
      assert.ok((await calls).some(({ status }) => status === 'rejected'));
    });

    test('tells those that still wait that they have not run, when it is closed at once', LIMIT, async () => {
      let ran = 0;
      const closing = {
        ...implementation,
        block(message: N) {
          if (++ran === 1) void it.server.closeNow();
          return block(message);
        },
      };
      await using it = await pair(Busy, closing, { transport, client: { retry: { attempts: 1 } } });
      const ends = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => it.api.block({ n })));
      const refused = ends.filter(
        (end) => end.status === 'rejected' && (end.reason as RpcError).code === Status.UNAVAILABLE,
      );
      const unsent = refused.filter(
        (end) => end.status === 'rejected' && !(end.reason as RpcError).maybeExecuted,
      );
      assert.ok(unsent.length >= 20 - ran, `${unsent.length} of ${refused.length}, ${ran} ran`);
    });

    test('runs everything with `overload: false`', LIMIT, async () => {
      await using it = await pair(Busy, implementation, { transport, server: { overload: false } });
      await Promise.all(Array.from({ length: 100 }, (_, n) => it.api.block({ n })));
      assert.equal(it.server.load.refused, 0);
    });

    test('lets streams wait for their turn as well', LIMIT, async () => {
      await using it = await pair(Busy, implementation, { transport });
      const calls = Array.from({ length: 10 }, (_, n) => it.api.block({ n }));
      assert.deepEqual(await collect(it.api.count({ n: 7 })), [{ n: 7 }]);
      await Promise.all(calls);
    });
  });
}

test(
  'a call that a full server refuses goes to another, also one that must not run twice',
  LIMIT,
  async () => {
    const network = memory();
    const ran: string[] = [];
    const serve = (name: string, options: ServerOptions) => {
      const server = new Server({ transport: network, logger: silentLogger, graceMs: 0, ...options });
      const { hang } = implementation;
      return server
        .registerService(Busy, {
          ...implementation,
          hang: (message) => (message.n < 0 ? hang() : { n: message.n }),
          block(message) {
            ran.push(name);
            return message;
          },
        })
        .serve();
    };
    await using full = await serve('full', { maxConcurrentCalls: 1 });
    await using free = await serve('free', {});
    await using client = new Client({
      transport: network,
      resolver: fixed([full.address, free.address]),
      balancer: 'roundRobin',
      graceMs: 0,
      logger: silentLogger,
    });
    const api = client.service(Busy);
    const held = api.hang({ n: -1 }, { target: full.address }).catch((error: RpcError) => error);
    await turns();
    for (let n = 0; n < 6; n++) assert.deepEqual(await api.block({ n }), { n });
    assert.deepEqual(new Set(ran), new Set(['free']));
    assert.ok(full.load.refused >= 2, `${full.load.refused}`);
    await full.closeNow();
    await held;
  },
);

test('a call that takes long uses up its turn, however many before it took nothing', LIMIT, async (t) => {
  let now = performance.now();
  t.mock.method(performance, 'now', () => now);
  let ran = 0;
  const scripted = {
    ...implementation,
    block(message: N) {
      ran++;
      now += 5;
      return message;
    },
    hang: (message: N) => Promise.resolve(message),
  };
  await using it = await pair(Busy, scripted);
  const calls: Promise<N>[] = [];
  for (let n = 0; n < 5; n++) calls.push(it.api.hang({ n }), it.api.block({ n }));
  await turns(2); // They come in the first, and have their turn behind it.
  assert.equal(ran, 1);
  await Promise.all(calls);
  assert.equal(ran, 5);
});

test('F45: the place of a handler that goes on ten seconds after its call has ended is given to others', () => {
  const overstays = new Overstays();
  const left: string[] = [];
  const placed = (name: string): Placed => ({ leave: () => void left.push(name) });
  const [a, b, c] = [placed('a'), placed('b'), placed('c')];
  overstays.add(a, 0);
  overstays.add(b, 1_000);
  overstays.add(c, 2_000);
  overstays.delete(b);
  overstays.sweep(9_999);
  assert.deepEqual(left, []);
  overstays.sweep(10_000);
  assert.deepEqual(left, ['a']);
  overstays.sweep(60_000);
  assert.deepEqual(left, ['a', 'c']);
});

test(
  'F45: a full server with handlers that never end takes calls again, and each place is given back once',
  LIMIT,
  async (t) => {
    let skipped = 0;
    const now = performance.now.bind(performance);
    t.mock.method(performance, 'now', () => now() + skipped);
    const late = deferred<N>();
    await using it = await pair(
      Busy,
      { ...implementation, hang: () => late.promise },
      { server: { maxConcurrentCalls: 2, overload: false }, client: { retry: { attempts: 1 } } },
    );
    const hung = [1, 2].map((n) => it.api.hang({ n }, { timeoutMs: 20 }));
    for (const end of await Promise.allSettled(hung)) assert.equal(end.status, 'rejected');
    const full = await it.api.block({ n: 1 }).then(
      () => assert.fail('the handlers have their places for ten seconds'),
      (error: RpcError) => error,
    );
    assert.match(full.details, /2 calls in flight/);
    skipped = 10_100;
    assert.deepEqual(await it.api.block({ n: 2 }, { timeoutMs: 60_000 }), { n: 2 });
    assert.equal(it.server.load.inFlight, 0);
    late.resolve({ n: 0 });
    await turns();
    assert.equal(it.server.load.inFlight, 0);
  },
);

test('a priority is one of three words; anything else is normal', () => {
  const of = (text: string) => priorityOf(new Metadata().set('lictor-priority', text));
  assert.deepEqual([of('high'), of('normal'), of('low')], [0, 1, 2]);
  for (const text of ['HIGH', '0', 'critical', '']) assert.equal(of(text), 1);
  assert.equal(priorityOf(new Metadata()), 1);
});
