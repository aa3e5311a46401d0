import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Client, defineService, memory, Status, unary } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { startFakeConsul } from '../consul/fake.js';
import { failure, failures } from '../contract/transport.js';
import { turns } from '../deferred.js';
import { pair } from '../pair.js';
import { Fleet, fleet } from './fleet.js';

const A = '127.0.0.1:1';
const B = '127.0.0.1:2';
const LIMIT = { timeout: 30_000 };

describe('the list of nodes', () => {
  test('S2: is watched once, whatever the number of first calls', LIMIT, async () => {
    await using it = await fleet([A, B]);
    const calls = Array.from({ length: 500 }, () => it.api.who({}));
    await it.resolver.started(1);
    it.resolver.nodes(A, B);
    await Promise.all(calls);
    assert.deepEqual(it.resolver.watches, ['fleet.Fleet']);
  });

  test('S1: is not asked for by calls: ten thousand of them add nothing', LIMIT, async () => {
    await using it = await fleet([A, B]);
    it.resolver.nodes(A, B);
    for (let i = 0; i < 100; i++) await Promise.all(Array.from({ length: 100 }, () => it.api.who({})));
    assert.equal(it.calls.length, 10_000);
    assert.deepEqual(it.resolver.watches, ['fleet.Fleet']);
    assert.deepEqual(it.connects.sort(), [A, B]);
  });

  test('S1: costs Consul one listing and one blocking query, and none per call', LIMIT, async () => {
    const Echo = defineService('requests.Echo', { echo: unary<object, object>() });
    const transport = memory();
    await using it = await pair(Echo, { echo: (message) => message }, { transport });
    await using agent = await startFakeConsul(({ list, query }) => {
      if (!query.has('index') || query.get('index') === '0')
        list({ 'requests.Echo/1': it.server.address }, '7');
    });
    await using client = new Client({ transport, resolver: consul({ address: agent.address }) });
    const echo = client.service(Echo);
    await echo.echo({});
    while (agent.exchanges.length < 2) await turns();
    for (let i = 0; i < 100; i++) await Promise.all(Array.from({ length: 100 }, () => echo.echo({})));
    assert.equal(agent.exchanges.length, 2);
  });

  test('S2: is waited for within the deadline and while the signal allows', LIMIT, async () => {
    await using it = await fleet([]);
    const late = await failure(it.api.who({}, { timeoutMs: 20 }));
    assert.equal(late.code, Status.DEADLINE_EXCEEDED);
    assert.match(
      late.message,
      /fleet\.Fleet was not resolved within \d+ ms \(scripted, under "fleet\.Fleet\/"\)/,
    );
    assert.equal(late.maybeExecuted, false);
    const controller = new AbortController();
    const calls = failures(
      it.api.who({}, { signal: controller.signal }),
      it.api.stream({}, { signal: controller.signal })[Symbol.asyncIterator]().next(),
    );
    await turns();
    controller.abort();
    for (const error of await calls) assert.equal(error.code, Status.CANCELLED);
    const stream = it.api.stream({}, { timeoutMs: 20 })[Symbol.asyncIterator]().next();
    assert.equal((await failure(stream)).code, Status.DEADLINE_EXCEEDED);
  });

  test('that comes after the signal has aborted sends nothing', LIMIT, async () => {
    await using it = await fleet([A]);
    const controller = new AbortController();
    const call = failure(it.api.who({}, { signal: controller.signal }));
    await it.resolver.started(1);
    it.resolver.nodes(A);
    controller.abort();
    assert.equal((await call).code, Status.CANCELLED);
    assert.deepEqual(it.calls, []);
  });

  test('that is waited for when the client closes fails the call', LIMIT, async () => {
    await using it = await fleet([A]);
    const call = failure(it.api.who({}));
    await it.resolver.started(1);
    await it.client.close();
    const error = await call;
    assert.equal(error.code, Status.FAILED_PRECONDITION);
    assert.match(error.message, /closed/);
    assert.deepEqual(it.resolver.ended, ['fleet.Fleet']);
  });

  test('is exchanged for each later one', LIMIT, async () => {
    await using it = await fleet([A, B]);
    it.resolver.nodes(A);
    assert.deepEqual(await it.api.who({}), { address: A });
    it.resolver.nodes(B);
    await turns();
    assert.deepEqual(await it.api.who({}), { address: B });
    it.resolver.nodes(A, B);
    const seen = new Set<string>();
    // A third list in a row takes its time.
    for (; seen.size < 2; await turns(1)) seen.add((await it.api.who({})).address);
    assert.deepEqual([...seen].sort(), [A, B]);
  });

  test('S4: that is empty is UNAVAILABLE, with the service and where it was looked for', LIMIT, async () => {
    await using it = await fleet([]);
    it.resolver.nodes();
    const error = await failure(it.api.who({}));
    assert.equal(error.code, Status.UNAVAILABLE);
    assert.match(error.message, /no node of fleet\.Fleet is listed \(scripted, under "fleet\.Fleet\/"\)/);
    assert.equal(error.maybeExecuted, false);
  });

  test('S3: that cannot be had first is a clear error, and is used when it comes', LIMIT, async () => {
    await using it = await fleet([A]);
    it.resolver.failure('connection refused');
    const error = await failure(it.api.who({}));
    assert.equal(error.code, Status.UNAVAILABLE);
    assert.match(error.message, /could not be resolved \(scripted.*\): connection refused/);
    it.resolver.nodes(A);
    await turns();
    assert.deepEqual(await it.api.who({}), { address: A });
    assert.deepEqual(
      it.log.map(({ message }) => message),
      ['the registry does not answer; it is tried again', 'the registry answers again'],
    );
  });

  test('S2, F1: that is stale keeps working, and the outage is told once', LIMIT, async () => {
    await using it = await fleet([A]);
    it.resolver.nodes(A);
    await it.api.who({});
    for (let i = 0; i < 5; i++) it.resolver.failure(`attempt ${i}`);
    await turns();
    assert.deepEqual(await it.api.who({}), { address: A });
    assert.equal(it.log.length, 1);
    it.resolver.nodes(A);
    await turns();
    assert.equal(it.log.length, 2);
    assert.deepEqual(it.connects, [A]);
    assert.deepEqual(it.closes, []);
  });

  for (const [how, error] of [
    ['ends', undefined],
    ['throws', new TypeError('broken resolver')],
  ] as const) {
    test(
      `of a watch that ${how} is kept, and the watch starts again without a busy loop`,
      LIMIT,
      async () => {
        await using it = await fleet([A], { emptyListPolicy: 'obey' });
        it.resolver.nodes(A);
        await it.api.who({});
        it.resolver.end(error);
        await turns(200);
        assert.equal(it.resolver.watches.length, 1);
        assert.deepEqual(await it.api.who({}), { address: A });
        await it.resolver.started(2);
        it.resolver.nodes();
        await turns();
        assert.equal((await failure(it.api.who({}))).code, Status.UNAVAILABLE);
      },
    );
  }

  test('of a name that no service can have is not asked for', LIMIT, async () => {
    await using it = await fleet([]);
    for (const name of ['..', 'a..b', 'x'.repeat(129), '*', '%2e%2e']) {
      const error = await failure(it.client.call(`/${name}/Method`, {}));
      assert.equal(error.code, Status.INVALID_ARGUMENT, name);
    }
    // Nor of a service that was not made by `defineService`.
    const forged = { ...Fleet, name: '../agent/leave' };
    assert.equal((await failure(it.client.service(forged).who({}))).code, Status.INVALID_ARGUMENT);
    assert.deepEqual(it.resolver.watches, []);
  });
});
