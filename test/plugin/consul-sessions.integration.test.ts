import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { consul } from '../../plugin/consul/consul.js';
import { Status } from '../../rpc/status.js';
import { type ConsulAgent, startConsul } from '../consul/agent.js';
import {
  ADDRESS,
  entryOf,
  expiry,
  holdKey,
  register,
  registeredProcess,
  sessionsAt,
  TTL_MS,
  until,
} from '../consul/registered.js';
import { read } from '../contract/reader.js';
import { recordingLogger } from './log.js';

const TIME_LIMIT = { timeout: 60_000 };

describe('with one agent', () => {
  let agent: ConsulAgent;
  before(async () => {
    agent = await startConsul();
  });
  after(() => agent.stop());

  test(
    'R1: the key is the service and the address, and Greeter does not see Greeter2',
    TIME_LIMIT,
    async () => {
      await using _entry = await register(agent, 'r1.Greeter2');
      assert.equal((await entryOf(agent, `r1.Greeter2/${ADDRESS}`))?.value, ADDRESS);
      await using reader = read(consul({ address: agent.address }), 'r1.Greeter');
      assert.deepEqual(await reader.next(), { kind: 'nodes', nodes: [] });
    },
  );

  test(
    'R2: one session holds all services of a server, deletes them when it ends, and has no lock delay',
    TIME_LIMIT,
    async () => {
      await using _entry = await register(agent, ['r2.Greeter', 'r2.Other'], { ttlMs: 61_000 });
      const holders = [
        (await entryOf(agent, `r2.Greeter/${ADDRESS}`))?.session,
        (await entryOf(agent, `r2.Other/${ADDRESS}`))?.session,
      ];
      assert.equal(holders[0], holders[1]);
      const session = (await sessionsAt(agent)).find(({ ID }) => ID === holders[0])!;
      assert.deepEqual(
        [session.TTL, session.Behavior, session.LockDelay, session.NodeChecks, session.Name],
        ['61000ms', 'delete', 0, [], `lictor ${ADDRESS}`],
      );
    },
  );

  test('checks of the node can end the session; one that there is not is refused', TIME_LIMIT, async () => {
    await using _entry = await register(agent, 'checks.Greeter', { nodeChecks: ['serfHealth'] });
    const holder = (await entryOf(agent, `checks.Greeter/${ADDRESS}`))?.session;
    const session = (await sessionsAt(agent)).find(({ ID }) => ID === holder);
    assert.deepEqual(session?.NodeChecks, ['serfHealth']);
    await assert.rejects(register(agent, 'checks.Other', { nodeChecks: ['nope'] }), {
      code: Status.INVALID_ARGUMENT,
      message: /nodeChecks.*nope/,
    });
  });

  test('ttlMs 0 writes plain keys, and no session', TIME_LIMIT, async () => {
    const before = (await sessionsAt(agent)).length;
    const entry = await register(agent, 'plain.Greeter', { ttlMs: 0 });
    assert.equal((await entryOf(agent, `plain.Greeter/${ADDRESS}`))?.session, undefined);
    assert.equal((await sessionsAt(agent)).length, before);
    await entry[Symbol.asyncDispose]();
    assert.equal(await entryOf(agent, `plain.Greeter/${ADDRESS}`), undefined);
  });

  test(
    'R2, R8: an entry is kept over many TTLs, and goes when its server is killed',
    TIME_LIMIT,
    async () => {
      const key = `r8.Greeter/${ADDRESS}`;
      const server = await registeredProcess(agent, {
        address: ADDRESS,
        service: 'r8.Greeter',
        ttlMs: TTL_MS,
      });
      const first = await entryOf(agent, key);
      await expiry();
      assert.deepEqual(await entryOf(agent, key), first);
      server.kill('SIGKILL');
      await until(
        () => entryOf(agent, key),
        (entry) => entry === undefined,
      );
    },
  );

  test('W12: a server of a hundred services keeps them all', TIME_LIMIT, async () => {
    const services = Array.from({ length: 100 }, (_, i) => `hundred.Service${i}`);
    const keys = services.map((service) => `${service}/${ADDRESS}`);
    await using _entry = await register(agent, services);
    const before = await Promise.all(keys.map((key) => entryOf(agent, key)));
    await expiry();
    assert.deepEqual(await Promise.all(keys.map((key) => entryOf(agent, key))), before);
    assert.equal(new Set(before.map((entry) => entry?.session)).size, 1);
  });

  test(
    'R3, F19: a server that starts again after a crash has its entry at once, and keeps it',
    TIME_LIMIT,
    async () => {
      const key = `r3.Greeter/${ADDRESS}`;
      // The session of the first life would last for two minutes.
      const first = await registeredProcess(agent, {
        address: ADDRESS,
        service: 'r3.Greeter',
        ttlMs: 60_000,
      });
      first.kill('SIGKILL');
      await once(first, 'exit');
      const before = await entryOf(agent, key);
      await using _entry = await register(agent, 'r3.Greeter');
      const taken = await entryOf(agent, key);
      assert.ok(before?.session && taken?.session && before.session !== taken.session);
      assert.ok(!(await sessionsAt(agent)).some(({ ID }) => ID === before.session));
      await expiry();
      assert.deepEqual(await entryOf(agent, key), taken);
    },
  );

  test(
    'R3: the entry of a former life is taken over whoever wrote it, and its session is left if it is not ours',
    TIME_LIMIT,
    async () => {
      const key = `gorpc.Greeter/${ADDRESS}`;
      const former = await holdKey(agent, key, ADDRESS);
      await using _entry = await register(agent, 'gorpc.Greeter');
      const taken = await entryOf(agent, key);
      assert.notEqual(taken?.session, former);
      await agent.request('PUT', `/session/destroy/${former}`);
      assert.deepEqual(await entryOf(agent, key), taken);
    },
  );

  test('an entry that was written without a session is taken over', TIME_LIMIT, async () => {
    await agent.put(`old.Greeter/${ADDRESS}`, ADDRESS);
    await using _entry = await register(agent, 'old.Greeter');
    assert.ok((await entryOf(agent, `old.Greeter/${ADDRESS}`))?.session);
  });

  test('R3: a key that another program holds fails the start, and says who it is', TIME_LIMIT, async () => {
    const key = `foreign.Greeter/${ADDRESS}`;
    const holder = await holdKey(agent, key, 'a leader election');
    await assert.rejects(register(agent, ['foreign.Greeter', 'foreign.Other'], { timeoutMs: 500 }), {
      code: Status.ALREADY_EXISTS,
      message: new RegExp(`foreign.Greeter.*held by session ${holder}.*another program`),
    });
    assert.deepEqual((await entryOf(agent, key))?.session, holder);
    assert.equal(await entryOf(agent, `foreign.Other/${ADDRESS}`), undefined);
  });

  test('a key that another program holds is taken when it is set free', TIME_LIMIT, async () => {
    const key = `freed.Greeter/${ADDRESS}`;
    const holder = await holdKey(agent, key, 'a leader election', { lockDelay: '0s' });
    const registering = register(agent, 'freed.Greeter', { timeoutMs: 20_000 });
    await until(
      () => sessionsAt(agent),
      (all) => all.length > 1,
    );
    await agent.request('PUT', `/session/destroy/${holder}`);
    await using _entry = await registering;
    assert.equal((await entryOf(agent, key))?.value, ADDRESS);
  });

  test(
    'two servers with one address do not beat each other, and the first leaves the entry of the second',
    TIME_LIMIT,
    async () => {
      const key = `twice.Greeter/${ADDRESS}`;
      const logger = recordingLogger();
      const first = await register(agent, 'twice.Greeter', {}, logger);
      await using _second = await register(agent, 'twice.Greeter');
      const taken = await entryOf(agent, key);
      await until(
        () => logger.lines.map(({ message }) => message),
        (messages) => messages.some((message) => /another server registers the same address/.test(message)),
      );
      await expiry();
      assert.equal(logger.lines.filter(({ message }) => /same address/.test(message)).length, 1);
      await first[Symbol.asyncDispose]();
      assert.deepEqual(await entryOf(agent, key), taken);
    },
  );

  test('an entry that somebody deletes comes back, under the same session', TIME_LIMIT, async () => {
    const key = `deleted.Greeter/${ADDRESS}`;
    await using _entry = await register(agent, ['deleted.Greeter', 'deleted.Other']);
    const { session } = (await entryOf(agent, key))!;
    await agent.delete(key);
    const back = await until(
      () => entryOf(agent, key),
      (entry) => entry !== undefined,
    );
    assert.deepEqual([back?.session, back?.value], [session, ADDRESS]);
  });

  test('what an operator writes into an entry is left', TIME_LIMIT, async () => {
    const key = `drained.Greeter/${ADDRESS}`;
    await using _entry = await register(agent, 'drained.Greeter');
    const drained = JSON.stringify({ address: ADDRESS, weight: 0 });
    await agent.put(key, drained);
    await expiry();
    assert.equal(await agent.get(key), drained);
  });

  test('R4, F18: a session that was destroyed is made again, with all its keys', TIME_LIMIT, async () => {
    const logger = recordingLogger();
    const keys = ['f18.Greeter', 'f18.Other'].map((service) => `${service}/${ADDRESS}`);
    await using _entry = await register(agent, ['f18.Greeter', 'f18.Other'], {}, logger);
    const { session } = (await entryOf(agent, keys[0]!))!;
    await agent.request('PUT', `/session/destroy/${session}`);
    for (const key of keys) {
      await until(
        () => entryOf(agent, key),
        (entry) => entry !== undefined && entry.session !== session,
      );
    }
    await until(
      () => logger.lines.map(({ message }) => message),
      (messages) => messages.some((message) => /made again/.test(message)),
    );
    assert.equal(logger.lines.length, 1);
  });

  test('F21: an event loop that was blocked for more than a TTL renews at once', TIME_LIMIT, async () => {
    const key = `f21.Greeter/${ADDRESS}`;
    await using _entry = await register(agent, 'f21.Greeter', { ttlMs: 2_000 });
    const before = await entryOf(agent, key);
    const end = performance.now() + 2_500;
    while (performance.now() < end);
    await sleep(2_000);
    assert.deepEqual(await entryOf(agent, key), before);
  });

  test('F22: a server that was frozen until its entry was gone makes it again', TIME_LIMIT, async () => {
    const key = `f22.Greeter/${ADDRESS}`;
    const server = await registeredProcess(agent, {
      address: ADDRESS,
      service: 'f22.Greeter',
      ttlMs: TTL_MS,
    });
    try {
      server.kill('SIGSTOP');
      await until(
        () => entryOf(agent, key),
        (entry) => entry === undefined,
      );
      server.kill('SIGCONT');
      await until(
        () => entryOf(agent, key),
        (entry) => entry !== undefined,
      );
    } finally {
      server.kill('SIGKILL');
    }
  });

  test('R6: closing deletes the entries and the session, also twice', TIME_LIMIT, async () => {
    const entry = await register(agent, ['r6.Greeter', 'r6.Other']);
    const { session } = (await entryOf(agent, `r6.Greeter/${ADDRESS}`))!;
    await Promise.all([entry[Symbol.asyncDispose](), entry[Symbol.asyncDispose]()]);
    assert.equal(await entryOf(agent, `r6.Greeter/${ADDRESS}`), undefined);
    assert.equal(await entryOf(agent, `r6.Other/${ADDRESS}`), undefined);
    assert.ok(!(await sessionsAt(agent)).some(({ ID }) => ID === session));
    await entry[Symbol.asyncDispose]();
  });

  test('R6, R3: after closing, the same key is free at once', TIME_LIMIT, async () => {
    for (let round = 0; round < 3; round++) {
      const entry = await register(agent, 'again.Greeter');
      await entry[Symbol.asyncDispose]();
    }
  });
});
