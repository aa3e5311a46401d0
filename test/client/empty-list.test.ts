import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Client, type EmptyListPolicy, Status } from 'lictor';
import { failure } from '../contract/transport.js';
import { turns } from '../deferred.js';
import { fleet } from './fleet.js';

const nodes = ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'];
const [A] = nodes as [string];
const LIMIT = { timeout: 30_000 };
const policies: readonly EmptyListPolicy[] = ['grace', 'keep', 'obey'];

/** A client that is connected to all three. */
async function connected(emptyListPolicy: EmptyListPolicy, emptyListGraceMs = 60_000) {
  const it = await fleet(nodes, { emptyListPolicy, emptyListGraceMs });
  it.resolver.nodes(...nodes);
  for (let i = 0; i < 3; i++) await it.api.who({});
  assert.equal(it.connects.length, 3);
  return it;
}

for (const policy of policies) {
  describe(`with the policy ${policy}`, () => {
    test('F7: calls while the list is empty, and the state', LIMIT, async () => {
      await using it = await connected(policy);
      it.resolver.nodes();
      await turns();
      const state = it.client.watchState('fleet.Fleet');
      if (policy === 'obey') {
        assert.equal(state.kind, 'empty');
        assert.equal((await failure(it.api.who({}))).code, Status.UNAVAILABLE);
        assert.deepEqual(it.log, []);
        return;
      }
      assert.equal(state.kind, 'stale');
      for (let i = 0; i < 10; i++) await it.api.who({});
      assert.equal(it.connects.length, 3, 'over the connections that were there');
      assert.deepEqual(it.closes, []);
      assert.match(it.log[0]!.message, /most nodes are gone from the registry at once/);
      it.resolver.nodes(...nodes);
      await turns();
      assert.equal(it.client.watchState('fleet.Fleet').kind, 'ready');
      assert.equal(it.log.length, 1);
    });

    test('F4: a server that is really gone is dropped on the first refusal', LIMIT, async () => {
      await using it = await connected(policy);
      it.resolver.nodes();
      await turns();
      await it.stop(A);
      const seen = new Set<string>();
      for (let i = 0; i < 20; i++) {
        const answer = await it.api.who({}).catch((error: { code: Status }) => {
          assert.equal(error.code, Status.UNAVAILABLE);
          return undefined;
        });
        if (answer) seen.add(answer.address);
      }
      assert.deepEqual([...seen].sort(), policy === 'obey' ? [] : nodes.slice(1));
      await it.start(A);
      for (let i = 0; i < 9; i++)
        if (policy !== 'obey') assert.notEqual((await it.api.who({})).address, A, 'not by itself');
    });

    test('an error of the registry keeps the list without limit', LIMIT, async () => {
      await using it = await connected(policy, 0);
      const before = Date.now();
      it.resolver.failure('down');
      await turns();
      for (let i = 0; i < 9; i++) await it.api.who({});
      const state = it.client.watchState('fleet.Fleet');
      assert.ok(state.kind === 'stale' && state.since >= before && state.error.details === 'down');
    });
  });
}

test('after the grace the registry is believed', LIMIT, async () => {
  await using it = await connected('grace', 50);
  it.resolver.nodes();
  await turns();
  await it.api.who({});
  while (it.client.watchState('fleet.Fleet').kind !== 'empty') await turns();
  while (it.closes.length < 3) await turns();
  assert.equal((await failure(it.api.who({}))).code, Status.UNAVAILABLE);
});

test('the state of a watch goes from pending over failed to ready', LIMIT, async () => {
  await using it = await fleet([A]);
  const kind = () => it.client.watchState('fleet.Fleet').kind;
  assert.equal(kind(), 'pending');
  const call = failure(it.api.who({}));
  assert.equal(kind(), 'pending');
  it.resolver.failure('down');
  await call;
  assert.equal(kind(), 'failed');
  it.resolver.nodes(A);
  await turns();
  assert.equal(kind(), 'ready');
  await using without = new Client({ target: A });
  assert.throws(() => without.watchState('fleet.Fleet'), { code: Status.FAILED_PRECONDITION });
});
