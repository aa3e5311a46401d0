import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Balancer, Client, defineService, type LiveNode, memory, RpcError, Status, unary } from 'lictor';
import { liveNode } from '../contract/live-nodes.js';
import { failure, failures } from '../contract/transport.js';
import { deferred, turns } from '../deferred.js';
import { Fleet, fleet } from './fleet.js';

const A = '127.0.0.1:1';
const B = '127.0.0.1:2';
const C = '127.0.0.1:3';
const LIMIT = { timeout: 30_000 };

/** Picks the first, and lets the test see what there is to pick from. */
function first(): Balancer & { sets: (readonly LiveNode[])[] } {
  const sets: (readonly LiveNode[])[] = [];
  return {
    name: 'first',
    sets,
    build(nodes) {
      sets.push(nodes);
      return () => nodes[0]!;
    },
  };
}

describe('connections', () => {
  test('are one per node, shared by calls, streams and services', LIMIT, async () => {
    const Other = defineService('fleet.Other', { who: unary<object, object>() });
    await using it = await fleet([A, B]);
    it.resolver.nodes(A, B);
    await Promise.all(Array.from({ length: 50 }, () => it.api.who({})));
    for (let i = 0; i < 4; i++) for await (const _ of it.api.stream({})) break;
    await failures(...Array.from({ length: 4 }, () => it.client.service(Other).who({})));
    await it.client.service(Fleet).who({});
    assert.deepEqual(it.connects.sort(), [A, B]);
  });

  test('are closed when their node is gone and its calls in flight have ended', LIMIT, async () => {
    await using it = await fleet([A, B]);
    it.resolver.nodes(A);
    const held = it.api.hold({});
    while (it.calls.length < 1) await turns(1);
    it.resolver.nodes(B);
    await turns();
    assert.deepEqual(await it.api.who({}), { address: B });
    assert.deepEqual(it.closes, []);
    it.release();
    assert.deepEqual(await held, { address: A });
    await turns();
    assert.deepEqual(it.closes, [A]);
  });

  test('stay while another service lists the node', LIMIT, async () => {
    const Other = defineService('fleet.Other', { who: unary<object, object>() });
    await using it = await fleet([A]);
    it.resolver.nodes(A);
    await it.api.who({});
    await failure(it.client.service(Other).who({}));
    assert.deepEqual(it.resolver.watches, ['fleet.Fleet', 'fleet.Other']);
    assert.deepEqual(it.connects, [A]);
  });

  test('of a closed client are closed, and calls in flight have their grace', LIMIT, async () => {
    await using it = await fleet([A]);
    it.resolver.nodes(A);
    const held = it.api.hold({});
    while (it.calls.length < 1) await turns(1);
    const closed = it.client.close();
    await turns();
    assert.equal((await failure(it.api.who({}))).code, Status.FAILED_PRECONDITION);
    it.release();
    assert.deepEqual(await held, { address: A });
    await Promise.all([closed, it.client.close()]);
    assert.deepEqual(it.closes, [A]);
    assert.deepEqual(it.resolver.ended, ['fleet.Fleet']);
  });
});

describe('nodes that cannot be reached', () => {
  test('are skipped by calls that no server has seen, and used again when they are back', LIMIT, async () => {
    const balancer = first();
    await using it = await fleet([B], { balancer, slowStartMs: 0 });
    it.resolver.nodes(A, B);
    for (let i = 0; i < 10; i++) assert.deepEqual(await it.api.who({}), { address: B });
    assert.deepEqual(it.connects, [A, B]);
    await it.start(A);
    assert.deepEqual(await it.api.who({}), { address: A });
    await it.stop(A);
    assert.deepEqual(await it.api.who({}), { address: B });
  });

  test('are stepped over one after the other', LIMIT, async () => {
    await using it = await fleet([C], { balancer: first() });
    it.resolver.nodes(A, B, C);
    assert.deepEqual(await it.api.who({}), { address: C });
    assert.deepEqual(it.connects, [A, B, C]);
  });

  test('are tried all the same when there is no other, and the error names one', LIMIT, async () => {
    await using it = await fleet([]);
    it.resolver.nodes(A, B);
    for (let i = 0; i < 5; i++) {
      const error = await failure(it.api.who({}));
      assert.equal(error.code, Status.UNAVAILABLE);
      assert.match(error.message, /127\.0\.0\.1:[12]/);
      assert.equal(error.maybeExecuted, false);
    }
    await it.start(B);
    assert.deepEqual(await it.api.who({}), { address: B });
  });

  test('get no second call that may have run', LIMIT, async () => {
    await using it = await fleet([A, B], { balancer: first() });
    it.resolver.nodes(A, B);
    const call = failure(it.api.hang({}));
    while (it.calls.length < 1) await turns(1);
    await it.stop(A);
    const error = await call;
    assert.equal(error.code, Status.UNAVAILABLE);
    assert.equal(error.maybeExecuted, true);
    assert.deepEqual(it.calls, [`${A} hang`]);
  });

  test('and nodes that fail by themselves are not the same', LIMIT, async () => {
    await using it = await fleet([A, B], { balancer: first() });
    it.resolver.nodes(A, B);
    for (let i = 0; i < 5; i++) assert.equal((await failure(it.api.fail({}))).code, Status.UNKNOWN);
    assert.deepEqual(new Set(it.calls), new Set([`${A} fail`]));
  });
});

describe('a balancer of one’s own', () => {
  const foreign = liveNode(A);
  const broken: Readonly<Record<string, Balancer>> = {
    'throws when it picks': {
      name: 'mine',
      build: () => () => {
        throw new Error('oops');
      },
    },
    'throws when it is built': {
      name: 'mine',
      build: () => {
        throw new Error('oops');
      },
    },
    'gives nothing': { name: 'mine', build: () => () => undefined as never },
    'gives a node of nobody': { name: 'mine', build: () => () => foreign },
    'gives no function': { name: 'mine', build: () => undefined as never },
  };
  for (const [how, balancer] of Object.entries(broken)) {
    test(`that ${how} fails calls with its name, and a later list is used`, LIMIT, async () => {
      await using it = await fleet([A], { balancer });
      it.resolver.nodes(A);
      for (let i = 0; i < 2; i++) {
        for (const error of await failures(
          it.api.who({}),
          it.api.stream({})[Symbol.asyncIterator]().next(),
        )) {
          assert.equal(error.code, Status.INTERNAL);
          assert.match(error.message, /balancer mine failed/);
          assert.equal(error.maybeExecuted, false);
        }
      }
    });
  }
});

describe('the count of calls in flight of a node', () => {
  test('is back at 0 after every kind of end', LIMIT, async () => {
    const balancer = first();
    await using it = await fleet([A], { balancer });
    it.resolver.nodes(A);
    await it.api.who({});
    const inFlight = () => balancer.sets.at(-1)![0]!.inFlight;
    assert.equal(inFlight(), 0);

    const controller = new AbortController();
    const hung = failures(
      it.api.hang({}, { signal: controller.signal }),
      it.api.hang({}, { timeoutMs: 100 }),
      it.api.who({}, { metadata: { 'x-a': 'b' }, onTrailer: broken }),
    );
    const held = it.api.hold({});
    assert.equal(inFlight(), 4);
    controller.abort();
    await hung;
    await failure(it.api.fail({}));
    await failure(it.api.who({ n: 1n }));
    assert.equal(inFlight(), 1);

    for await (const _ of it.api.stream({})) {
      assert.equal(inFlight(), 2);
      break;
    }
    assert.equal(inFlight(), 1);
    const unread = it.api.stream({});
    assert.equal(inFlight(), 1, 'nothing is sent before the first reply is asked for');
    await unread[Symbol.asyncIterator]().return?.();
    it.release();
    await held;
    for await (const _ of it.api.stream({}));
    assert.equal(inFlight(), 0);
    const cut = it.api.stream({}, { signal: AbortSignal.abort() })[Symbol.asyncIterator]();
    await failure(cut.next());
    assert.equal(inFlight(), 0);
  });

  test('is back at 0 when a transport throws or refuses', LIMIT, async () => {
    const balancer = first();
    const connected = deferred();
    await using it = await fleet([A], { balancer }, (engine) => ({
      ...engine,
      connect: (options) => ({
        ...engine.connect(options),
        unary: () => {
          connected.resolve();
          throw new TypeError('broken transport');
        },
      }),
    }));
    it.resolver.nodes(A);
    const error = await failure(it.api.who({}));
    assert.equal(error.code, Status.INTERNAL);
    assert.match(error.message, /broken transport/);
    assert.equal(balancer.sets.at(-1)![0]!.inFlight, 0);
  });
});

test('a client that was never used closes, and a resolver of no interest is not asked', async () => {
  const client = new Client({ transport: memory() });
  await client.close();
  await using it = await fleet([]);
  assert.deepEqual(it.resolver.watches, []);
});

function broken(): never {
  throw new RpcError(Status.ABORTED, 'told too much');
}
