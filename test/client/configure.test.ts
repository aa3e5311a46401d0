import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Balancer, Client, type ClientSettings, memory, Status } from 'lictor';
import { failure } from '../contract/transport.js';
import { fleet } from './fleet.js';

const TIME_LIMIT = { timeout: 60_000 };
const ONE = '127.0.0.1:1';
const TWO = '127.0.0.1:2';

describe('a client that is configured', () => {
  test(
    'has another time-out with the next call, and its own again when none is said',
    TIME_LIMIT,
    async () => {
      await using it = await fleet([ONE]);
      it.resolver.nodes(ONE);
      it.client.configure({ timeoutMs: 1 });
      assert.equal((await failure(it.api.hang({}))).code, Status.DEADLINE_EXCEEDED);
      it.client.configure({});
      const held = it.api.hold({}); // 60 s, as the client was made.
      it.client.configure({ timeoutMs: 1 });
      assert.equal((await failure(it.api.hang({}))).code, Status.DEADLINE_EXCEEDED);
      it.release();
      assert.deepEqual(await held, { address: ONE });
    },
  );

  test('picks with another balancer from the next call on, for services that it knows and new ones', async () => {
    await using it = await fleet([ONE, TWO]);
    it.resolver.nodes(ONE, TWO);
    const last: Balancer = { name: 'last', build: (nodes) => () => nodes.at(-1)! };
    await it.api.who({});
    it.client.configure({ balancer: last });
    for (let i = 0; i < 4; i++) assert.deepEqual(await it.api.who({}), { address: TWO });
    it.client.configure({});
    const seen = new Set<string>();
    for (let i = 0; i < 4; i++) seen.add((await it.api.who({})).address);
    assert.deepEqual([...seen].sort(), [ONE, TWO]);
  });

  test('keeps the position of a balancer that stays', async () => {
    await using it = await fleet([ONE, TWO]);
    it.resolver.nodes(ONE, TWO);
    let built = 0;
    const counting: Balancer = {
      name: 'counting',
      build: (nodes) => {
        built++;
        return () => nodes[0]!;
      },
    };
    await it.api.who({});
    for (let i = 0; i < 5; i++) it.client.configure({ balancer: counting, timeoutMs: 1_000 + i });
    await it.api.who({});
    assert.equal(built, 1);
  });

  test(
    'takes messages up to another limit on new connections, and calls in flight end',
    TIME_LIMIT,
    async () => {
      await using it = await fleet([ONE]);
      it.resolver.nodes(ONE);
      const held = it.api.hold({});
      await it.api.who({});
      it.client.configure({ maxMessageBytes: 4 });
      assert.equal((await failure(it.api.who({ text: 'more than four' }))).code, Status.RESOURCE_EXHAUSTED);
      it.client.configure({ maxMessageBytes: 4 });
      assert.deepEqual(it.connects, [ONE, ONE]);
      it.client.configure({});
      assert.deepEqual(await it.api.who({}), { address: ONE });
      it.release();
      assert.deepEqual(await held, { address: ONE });
    },
  );

  test('takes replies up to another decoded size, on the connections it has', TIME_LIMIT, async () => {
    await using it = await fleet([ONE]);
    it.resolver.nodes(ONE);
    await it.api.who({});
    it.client.configure({ maxDecodedBytes: 5 });
    assert.match((await failure(it.api.who({}))).details, /maxDecodedBytes of the client/);
    it.client.configure({});
    assert.deepEqual(await it.api.who({}), { address: ONE });
    assert.deepEqual(it.connects, [ONE]);
  });

  test('the decoded size follows the size of messages, unless it is set', TIME_LIMIT, async () => {
    await using it = await fleet([ONE]);
    it.resolver.nodes(ONE);
    it.client.configure({ maxMessageBytes: 50 });
    assert.deepEqual(await it.api.who({}), { address: ONE });
    it.client.configure({ maxMessageBytes: 50, maxDecodedBytes: 60 });
    const { details } = await failure(it.api.who({}));
    assert.match(details, /at most 60 are taken/);
  });

  test('finds a node again that could not be reached when the limit changed', TIME_LIMIT, async () => {
    await using it = await fleet([ONE, TWO]);
    it.resolver.nodes(ONE, TWO);
    await it.api.who({});
    await it.stop(TWO);
    for (let i = 0; i < 4; i++) assert.deepEqual(await it.api.who({}), { address: ONE });
    it.client.configure({ maxMessageBytes: 1_000 });
    await it.start(TWO);
    const seen = new Set<string>();
    while (seen.size < 2) seen.add((await it.api.who({})).address);
  });

  for (const [settings, message] of [
    [{ timeoutMs: -1, balancer: 'random' }, /timeoutMs.*got -1/],
    [{ timeoutMs: '5' }, /timeoutMs.*got 5/],
    [{ timeoutMs: null }, /timeoutMs.*got null/],
    [{ timeoutMs: 1, balancer: 'best' }, /balancer: .*'roundRobin'.*got "best"/],
    [{ timeoutMs: 1, maxMessageBytes: 0 }, /maxMessageBytes.*got 0/],
    [{ timeoutMs: 1, maxDecodedBytes: -1 }, /maxDecodedBytes.*got -1/],
    [{ timeoutMs: 1, timeout: 2 }, /setting "timeout": unknown, there are timeoutMs, balancer/],
    [null, /an object is wanted/],
  ] as const) {
    test(`${JSON.stringify(settings)} is refused as a whole`, TIME_LIMIT, async () => {
      await using it = await fleet([ONE]);
      it.resolver.nodes(ONE);
      assert.throws(() => it.client.configure(settings as unknown as ClientSettings), message);
      const held = it.api.hold({}); // A time-out of 1 ms would end it.
      await new Promise((resolve) => setTimeout(resolve, 5));
      it.release();
      assert.deepEqual(await held, { address: ONE });
    });
  }

  test('after it has been closed: nothing happens', async () => {
    const client = new Client({ transport: memory(), target: ONE });
    await client.close();
    client.configure({ timeoutMs: 5, balancer: 'random', maxMessageBytes: 9 });
  });
});
