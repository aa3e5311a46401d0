import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { consul, type KvOptions } from '../../plugin/consul/consul.js';
import { type Logger, silentLogger } from '../../rpc/log.js';
import { type ConsulAgent, startConsul } from '../consul/agent.js';
import { startConsulCluster } from '../consul/cluster.js';
import { entryOf, registeredProcess, until } from '../consul/registered.js';
import { recordingLogger } from '../plugin/log.js';

// Registrations with the TTL of production, 10 s, so that these take minutes.

const TIME_LIMIT = { timeout: 240_000 };
const ADDRESS = '127.0.0.1:8000';
const KEY = `Greeter/${ADDRESS}`;
const TTL_MS = 10_000;

const register = (
  address: string | readonly string[],
  options: KvOptions = {},
  logger: Logger = silentLogger,
) => consul({ address, ttlMs: TTL_MS, ...options }).init({ address: ADDRESS, services: ['Greeter'], logger });

const seconds = (since: number) => `${((performance.now() - since) / 1_000).toFixed(1)} s`;

test(
  'R3: a server that starts again after a crash still has its entry 25 s later',
  TIME_LIMIT,
  async (context) => {
    await using agent = await startConsul();
    const first = await registeredProcess(agent, { address: ADDRESS, service: 'Greeter', ttlMs: TTL_MS });
    first.kill('SIGKILL');
    await once(first, 'exit');
    const started = performance.now();
    await using _entry = await register(agent.address);
    context.diagnostic(`registered again after ${seconds(started)}`);
    const taken = await entryOf(agent, KEY);
    await sleep(25_000);
    assert.deepEqual(await entryOf(agent, KEY), taken);
  },
);

test('R8: a server that was killed is listed for twice its TTL', TIME_LIMIT, async (context) => {
  await using agent = await startConsul();
  const server = await registeredProcess(agent, { address: ADDRESS, service: 'Greeter', ttlMs: TTL_MS });
  server.kill('SIGKILL');
  const killed = performance.now();
  await until(
    () => entryOf(agent, KEY),
    (entry) => entry === undefined,
    60_000,
  );
  context.diagnostic(`gone after ${seconds(killed)}`);
});

test(
  'R5, F3: an agent that lost its data has the entry again after a third of the TTL and a second',
  TIME_LIMIT,
  async (context) => {
    await using agent = await startConsul();
    await using _entry = await register(agent.address);
    for (let round = 0; round < 3; round++) {
      await agent.restart({ wipe: true });
      const back = performance.now();
      await until(
        () => entryOf(agent, KEY),
        (entry) => entry !== undefined,
      );
      context.diagnostic(`back after ${seconds(back)}`);
      assert.ok(performance.now() - back <= (TTL_MS / 3) * 1.1 + 1_000, seconds(back));
      await sleep(1_000);
    }
  },
);

test(
  'F1, F2: an agent that was down for a minute finds one warning and no new entry',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul();
    const logger = recordingLogger();
    await using _entry = await register(agent.address, {}, logger);
    const before = await entryOf(agent, KEY);
    await agent.kill('SIGKILL');
    await sleep(60_000);
    await agent.restart();
    // Sessions start their time anew with a leader, so it is renewed long before it could go.
    await sleep(25_000);
    assert.deepEqual(await entryOf(agent, KEY), before);
    assert.equal(logger.lines.length, 1);
  },
);

test('F4: an agent that hung for 25 s has the entry again', TIME_LIMIT, async (context) => {
  await using agent = await startConsul();
  await using _entry = await register(agent.address);
  await agent.kill('SIGSTOP');
  await sleep(25_000);
  await agent.kill('SIGCONT');
  const back = performance.now();
  await sleep(1_000); // In which it expires what is due.
  await until(
    () => entryOf(agent, KEY),
    (entry) => entry !== undefined,
  );
  context.diagnostic(`there after ${seconds(back)}`);
  assert.ok(performance.now() - back <= (TTL_MS / 3) * 1.1 + 1_000, seconds(back));
});

/** Looks at the entry for a while, and gives the longest time that it was not there. */
async function longestAbsence(agent: ConsulAgent, forMs: number): Promise<number> {
  const end = performance.now() + forMs;
  let seen = performance.now();
  let longest = 0;
  while (performance.now() < end) {
    if (await entryOf(agent, KEY)) seen = performance.now();
    longest = Math.max(longest, performance.now() - seen);
    await sleep(25);
  }
  return longest;
}

test('R4, F5: a leader that is killed costs no entry', TIME_LIMIT, async (context) => {
  await using cluster = await startConsulCluster();
  const leader = await cluster.leader();
  const followers = cluster.servers.filter((server) => server !== leader);
  await using _entry = await register(followers.map(({ address }) => address));
  const before = await entryOf(leader, KEY);
  await leader.kill('SIGKILL');
  const killed = performance.now();
  const next = await cluster.leader();
  context.diagnostic(`another leader after ${seconds(killed)}`);
  await sleep(2.5 * TTL_MS);
  assert.deepEqual(await entryOf(next, KEY), before);
});

// Sessions belong to a node, and Consul drops that of a dead server as soon as the others can do without it.
test(
  'F5: a leader that is killed and was the agent of a server costs its entry a third of the TTL',
  TIME_LIMIT,
  async (context) => {
    await using cluster = await startConsulCluster();
    const leader = await cluster.leader();
    const followers = cluster.servers.filter((server) => server !== leader);
    await using _entry = await register([leader, ...followers].map(({ address }) => address));
    await leader.kill('SIGKILL');
    const next = await cluster.leader();
    await until(
      () => entryOf(next, KEY),
      () => true,
    );
    const absentMs = await longestAbsence(next, 2.5 * TTL_MS);
    context.diagnostic(`not there for ${Math.round(absentMs)} ms`);
    assert.ok(absentMs <= (TTL_MS / 3) * 1.1 + 1_000, `${absentMs} ms`);
    assert.ok(await entryOf(next, KEY));
  },
);

test('F24: an agent that restarts twenty times keeps one entry under one session', TIME_LIMIT, async () => {
  await using agent = await startConsul();
  const logger = recordingLogger();
  await using _entry = await register(agent.address, {}, logger);
  const before = await entryOf(agent, KEY);
  for (let round = 0; round < 20; round++) {
    await agent.restart();
    await sleep(2_000 + (round % 4) * 1_000);
  }
  assert.deepEqual(await entryOf(agent, KEY), before);
  assert.equal(((await agent.request('GET', '/session/list')) as unknown[]).length, 1);
  assert.ok(!logger.lines.some(({ message }) => /made again/.test(message)));
});
