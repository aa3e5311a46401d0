import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RpcError, Status, silentLogger } from 'lictor';
import { ConsulConfig } from 'lictor/plugin/consul/config';
import { connectConsul } from '../../plugin/consul/connection.js';
import { consul } from '../../plugin/consul/consul.js';
import { kvOf } from '../../plugin/consul/kv.js';
import { plainEntries } from '../../plugin/consul/plain-entries.js';
import { parse, type WatchParams } from '../../plugin/consul/watch/watch.js';
import type { ConsulAgent } from '../consul/agent.js';
import { revocableToken, startStrictConsul } from '../consul/rights.js';
import { read } from '../contract/reader.js';
import { recorder } from './config-changes.js';

const TIME_LIMIT = { timeout: 60_000 };
/** How soon a watch is well again when its right is back: pauses are of 5 s at most. */
const HEAL_MS = 6_500;

/** A query that is held keeps the rights that it had when it came, so that one write may not be enough to show a loss. */
async function disturbedUntil(isSeen: () => boolean, disturb: (round: number) => Promise<unknown>) {
  for (let round = 0; !isSeen(); round++) {
    await disturb(round);
    await sleep(200);
  }
}

describe('a token that loses its right', () => {
  let agent: ConsulAgent;
  before(async () => {
    agent = await startStrictConsul();
  });
  after(() => agent.stop());

  test('deletes no configuration, and its values follow again when it is back', TIME_LIMIT, async () => {
    const rules = 'key_prefix "shop/" { policy = "read" }';
    const { token, allow } = await revocableToken(agent, rules);
    for (const key of ['a', 'b']) await agent.put(`shop/${key}`, '1');
    await using config = new ConsulConfig({
      address: agent.address,
      prefix: 'shop',
      token,
      logger: silentLogger,
    });
    const { told, handler, until } = recorder();
    using watch = config.watch('', handler);
    await until('+a=1', '+b=1');
    await allow('');
    await disturbedUntil(
      () => watch.state.kind === 'failed',
      (round) => agent.put('shop/b', String(round + 2)),
    );
    const kept = [...watch.values];
    assert.equal(kept.length, 2);
    assert.ok(watch.state.kind === 'failed');
    assert.equal(watch.state.error.code, Status.PERMISSION_DENIED);
    assert.match(watch.state.error.details, /key_prefix "shop\/" \{ policy = "read" \}/);
    config.reset(); // Neither does a fresh start.
    await sleep(500);
    assert.equal(watch.state.kind, 'failed');
    assert.deepEqual([...watch.values], kept);
    await agent.put('shop/a', '2');
    await sleep(3_000);
    await allow(rules);
    const back = performance.now();
    await until('a=1>2');
    assert.ok(performance.now() - back < HEAL_MS, `${performance.now() - back} ms`);
    assert.ok(!told.some((word) => word.startsWith('-')), told.join());
    await agent.delete('shop/a');
    await until('-a=2');
  });

  test('to some of the keys deletes none of them', TIME_LIMIT, async () => {
    const { token, allow } = await revocableToken(agent, 'key_prefix "part/" { policy = "read" }');
    for (const key of ['open/x', 'shut/y']) await agent.put(`part/${key}`, '1');
    await using config = new ConsulConfig({
      address: agent.address,
      prefix: 'part',
      token,
      logger: silentLogger,
    });
    const { told, handler, until } = recorder();
    using watch = config.watch('', handler);
    await until('+open/x=1', '+shut/y=1');
    await allow('key_prefix "part/open/" { policy = "read" }');
    await disturbedUntil(
      () => watch.state.kind === 'failed',
      (round) => agent.put('part/open/x', String(round + 2)),
    );
    assert.equal(watch.values.get('shut/y'), 1);
    assert.equal(told.filter((word) => word.startsWith('-')).length, 0);
  });

  test('takes no settings from a client that follows them', TIME_LIMIT, async () => {
    const { token, allow } = await revocableToken(agent, 'key "app/client" { policy = "read" }');
    await agent.put('app/client', '{"timeoutMs":500}');
    await using config = new ConsulConfig({
      address: agent.address,
      prefix: 'app',
      token,
      logger: silentLogger,
    });
    const settings: object[] = [];
    using following = config.follow('client', { configure: (given: object) => void settings.push(given) });
    await following.settled;
    await allow('');
    await disturbedUntil(
      () => following.state.kind === 'failed',
      (round) => agent.put('app/client', `{"timeoutMs":${600 + round}}`),
    );
    assert.ok(
      settings.every((given) => 'timeoutMs' in given),
      JSON.stringify(settings),
    );
  });

  const catalogRules = 'service "Greeter" { policy = "read" } node_prefix "" { policy = "read" }';
  for (const [mode, rules, disturb] of [
    [
      'kv',
      'key_prefix "Greeter/" { policy = "read" }',
      (round: number) => agent.put(`Greeter/127.0.0.1:${round + 2}`, `127.0.0.1:${round + 2}`),
    ],
    ['catalog', catalogRules, (round: number) => registerAt(round + 2)],
  ] as const) {
    test(`removes no node in mode ${mode}`, TIME_LIMIT, async () => {
      await agent.put('Greeter/127.0.0.1:1', '127.0.0.1:1');
      await registerAt(1);
      const { token, allow } = await revocableToken(agent, rules);
      await using reader = read(
        consul({ mode, address: agent.address, token, logger: silentLogger }),
        'Greeter',
      );
      await reader.untilNodes(({ length }) => length > 0);
      await allow('');
      let failure: RpcError | undefined;
      const disturbed = disturbedUntil(() => failure !== undefined, disturb);
      while (!failure) {
        const next = await reader.next();
        if (next.kind === 'failure') failure = next.error;
        else assert.ok(next.nodes.length > 0, 'no list without nodes');
      }
      await disturbed;
      assert.equal(failure.code, Status.PERMISSION_DENIED);
      assert.ok(failure.details.includes(rules.slice(0, rules.indexOf('}'))), failure.details);
      await allow(rules);
      const back = performance.now();
      await reader.untilNodes(({ length }) => length > 0);
      assert.ok(performance.now() - back < HEAL_MS);
    });
  }

  const registerAt = (Port: number) =>
    agent.request(
      'PUT',
      '/agent/service/register',
      JSON.stringify({ Name: 'Greeter', ID: `g${Port}`, Port, Address: '127.0.0.1' }),
    ) as Promise<void>;

  const plans: readonly [WatchParams, string, RegExp][] = [
    [{ type: 'key', key: 'plan/a' }, 'key "plan/a" { policy = "read" }', /key "plan\/a"/],
    [{ type: 'keyprefix', prefix: 'plan/' }, 'key_prefix "plan/" { policy = "read" }', /key_prefix "plan\/"/],
    [{ type: 'services' }, 'service_prefix "" { policy = "read" }', /service_prefix ""/],
    [{ type: 'nodes' }, 'node_prefix "" { policy = "read" }', /node_prefix ""/],
    [{ type: 'service', service: 'Greeter' }, catalogRules, /service "Greeter"/],
    [{ type: 'checks' }, 'node_prefix "" { policy = "read" }', /node_prefix ""/],
  ];
  for (const [params, rules, permission] of plans) {
    test(
      `makes a plan of type ${params.type} fail, and gives no result without them`,
      TIME_LIMIT,
      async () => {
        await agent.put('plan/a', '1');
        await registerAt(1);
        const { token, allow } = await revocableToken(agent, rules);
        const plan = parse({ ...params, token });
        const failed = new Promise<string>((resolve) => {
          plan.onFailure = (error) => resolve(error.details);
        });
        const results: unknown[] = [];
        const first = new Promise<void>((resolve) => {
          plan.handler = (_index, result) => {
            results.push(result);
            resolve();
          };
        });
        const running = plan.run(agent.address);
        await first;
        await allow('');
        let isFailed = false;
        void failed.then(() => {
          isFailed = true;
        });
        await disturbedUntil(
          () => isFailed,
          async (round) => {
            await agent.put('plan/a', `${params.type}${round}`);
            await registerAt(1_000 + Math.floor(Math.random() * 1_000));
            const Check = { CheckID: 'c', Name: 'c', Status: 'passing' };
            const Node = `${params.type}${round}`;
            await agent.request(
              'PUT',
              '/catalog/register',
              JSON.stringify({ Node, Address: '10.0.0.9', Check }),
            );
          },
        );
        assert.match(await failed, permission);
        plan.stop();
        await running;
        // None of them is of a token that sees nothing.
        for (const result of results) assert.ok(Object.keys(result ?? {}).length > 0);
      },
    );
  }

  test('is not told by `prune` that there is nothing', TIME_LIMIT, async () => {
    const { token } = await revocableToken(agent, '');
    const kv = kvOf(connectConsul({ address: agent.address, token }));
    await assert.rejects(plainEntries(kv, { prefix: 'services/', timeoutMs: 100, isLocal: true }), {
      code: Status.PERMISSION_DENIED,
      message: /key_prefix "services\/" \{ policy = "read" \}/,
    });
  });
});
