import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client, type ClientSettings, defineService, memory, Server, Status, unary } from 'lictor';
import { type BadValue, type Configurable, ConsulConfig } from 'lictor/plugin/consul/config';
import { fixed } from 'lictor/plugin/fixed';
import { type ConsulAgent, startConsul } from '../consul/agent.js';
import { failure } from '../contract/transport.js';
import { type Deferred, deferred } from '../deferred.js';
import { recordingLogger } from './log.js';

const TIME_LIMIT = { timeout: 60_000 };
const Slow = defineService('follow.Slow', {
  hang: unary<object, object>(),
  who: unary<object, { address: string }>(),
});
const ADDRESSES = ['127.0.0.1:1', '127.0.0.1:2'] as const;

describe("a client's settings", () => {
  let agent: ConsulAgent;
  before(async () => {
    agent = await startConsul();
  });
  after(() => agent.stop());

  /** A client with servers in memory, and a word when it has been configured. */
  async function followed(prefix: string) {
    const transport = memory();
    const servers: Server[] = [];
    for (const address of ADDRESSES) {
      const server = new Server({ address, transport, graceMs: 0 });
      server.registerService(Slow, {
        hang: () => new Promise<never>(() => {}),
        who: () => ({ address }),
      });
      await server.serve();
      servers.push(server);
    }
    const client = new Client({ transport, resolver: fixed([...ADDRESSES]), timeoutMs: 60_000, graceMs: 0 });
    let next: Deferred = deferred();
    let configured = 0;
    const target: Configurable = {
      configure(settings: ClientSettings) {
        client.configure(settings);
        configured++;
        next.resolve();
      },
    };
    const logger = recordingLogger();
    const config = new ConsulConfig({ address: agent.address, prefix, logger });
    return {
      client,
      api: client.service(Slow),
      target,
      config,
      logger,
      get configured() {
        return configured;
      },
      /** Does something after which the client is configured. */
      async after(change: () => Promise<unknown>) {
        next = deferred();
        await change();
        await next.promise;
      },
      async [Symbol.asyncDispose]() {
        await config[Symbol.asyncDispose]();
        await client.close();
        for (const server of servers) await server.closeNow();
      },
    };
  }

  test('that change in Consul are those of the next call', TIME_LIMIT, async () => {
    await using it = await followed('next');
    using watch = it.config.follow('client', it.target);
    await watch.settled;
    assert.equal(it.configured, 0);
    await it.after(() => it.config.put('client', { timeoutMs: 1 }));
    assert.equal((await failure(it.api.hang({}))).code, Status.DEADLINE_EXCEEDED);
    await it.after(() => it.config.put('client', { balancer: 'consistentHash' }));
    const asked = await Promise.all(Array.from({ length: 6 }, () => it.api.who({}, { hashKey: 'user-7' })));
    assert.equal(new Set(asked.map(({ address }) => address)).size, 1);
    await it.after(() => it.config.put('client', { balancer: 'roundRobin', maxMessageBytes: 4 }));
    assert.equal((await failure(it.api.who({ text: 'more than four' }))).code, Status.RESOURCE_EXHAUSTED);
  });

  test(
    'that are wrong are refused as a whole and reported, and the last good ones stay',
    TIME_LIMIT,
    async () => {
      await using it = await followed('bad');
      await it.config.put('client', { timeoutMs: 1 });
      const refused: BadValue[] = [];
      let told = deferred();
      const onBad = (bad: BadValue) => {
        refused.push(bad);
        told.resolve();
      };
      using watch = it.config.follow('client', it.target, { onBad });
      await watch.settled;
      const bad = [
        { timeoutMs: -5, balancer: 'random' },
        { timeoutMs: 60_000, balancer: 'best' },
        { timeout: 9 },
        [1],
        'text',
      ];
      for (const value of bad) {
        told = deferred();
        await it.config.put('client', value);
        await told.promise;
        assert.equal((await failure(it.api.hang({}))).code, Status.DEADLINE_EXCEEDED);
      }
      assert.deepEqual(refused[0]!.kept, { timeoutMs: 1 });
      const reasons = refused.map(({ error }) => error.message);
      for (const [at, text] of [
        /got -5/,
        /'roundRobin'.*"best"/,
        /"timeout": unknown/,
        /JSON object/,
        /not JSON/,
      ].entries())
        assert.match(reasons[at]!, text);
      assert.equal(
        it.logger.lines.filter((line) => /last good value is kept/.test(line.message)).length,
        bad.length,
      );
      assert.equal(it.configured, 1);
    },
  );

  test('are as the client was made when the key is deleted', TIME_LIMIT, async () => {
    await using it = await followed('deleted');
    await it.config.put('client', { maxMessageBytes: 4 });
    using watch = it.config.follow('client', it.target);
    await watch.settled;
    assert.equal((await failure(it.api.who({ text: 'long' }))).code, Status.RESOURCE_EXHAUSTED);
    await it.config.put('client/other', { maxMessageBytes: 5 });
    await it.after(() => it.config.delete('client'));
    assert.ok((await it.api.who({ text: 'long' })).address);
    assert.equal(it.configured, 2);
  });

  test('stay when the watch stops', TIME_LIMIT, async () => {
    await using it = await followed('stopped');
    await it.config.put('client', { timeoutMs: 1 });
    const watch = it.config.follow('client', it.target);
    await watch.settled;
    watch.stop();
    assert.equal((await failure(it.api.hang({}))).code, Status.DEADLINE_EXCEEDED);
  });

  test('cost a call nothing: Consul is not asked', TIME_LIMIT, async () => {
    await using it = await followed('free');
    await it.config.put('client', { balancer: 'random' });
    using watch = it.config.follow('client', it.target);
    await watch.settled;
    await agent.kill('SIGSTOP');
    try {
      for (let i = 0; i < 1_000; i++) await it.api.who({});
    } finally {
      await agent.kill('SIGCONT');
    }
    assert.equal(it.configured, 1);
  });
});
