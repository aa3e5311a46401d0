import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { consul } from 'lictor/plugin/consul';
import { startConsul } from '../consul/agent.js';
import { startConsulCluster } from '../consul/cluster.js';
import { entryOf, until } from '../consul/registered.js';
import { read } from '../contract/reader.js';
import { ENTRIES_BACK_MS, entriesBack, outage, seconds, watchRight } from './consul-outage.js';
import { Faults } from './service.js';
import { underLoad } from './under-load.js';

// Calls all the time while Consul is in trouble, with the TTL of production. Not one of them may fail.

const TIME_LIMIT = { timeout: 240_000 };

for (const { id, wipe, downMs, aroundMs, what } of [
  { id: 'F1', wipe: false, downMs: 5_000, aroundMs: 5_000, what: 'is down for 5 s' },
  { id: 'F3', wipe: true, downMs: 5_000, aroundMs: 5_000, what: 'is down for 5 s and has lost its data' },
]) {
  test(`${id}: an agent that ${what} costs no call of 500 a second`, TIME_LIMIT, async (context) => {
    await using agent = await startConsul();
    await using load = await underLoad([agent.address]);
    context.diagnostic(await outage(agent, load, { wipe, downMs, aroundMs }));
  });
}

test('F4: an agent that hangs until all sessions have run out costs no call', TIME_LIMIT, async (context) => {
  await using agent = await startConsul();
  await using load = await underLoad([agent.address]);
  await sleep(3_000);
  await agent.kill('SIGSTOP');
  await sleep(25_000);
  await agent.kill('SIGCONT');
  const back = performance.now();
  await sleep(1_000); // In which it expires what is due.
  const entriesMs = await entriesBack(agent, load.servers, back);
  await sleep(10_000);
  context.diagnostic(`${load.sent()} calls; entries back after ${seconds(entriesMs)}`);
  assert.ok(entriesMs <= ENTRIES_BACK_MS, seconds(entriesMs));
});

test('F5: a leader that is killed costs no call', TIME_LIMIT, async (context) => {
  await using cluster = await startConsulCluster();
  const leader = await cluster.leader();
  const followers = cluster.servers.filter((server) => server !== leader);
  // The client and its servers are at the leader, so that all of them have to go elsewhere.
  await using load = await underLoad([leader, ...followers].map(({ address }) => address));
  await sleep(5_000);
  await leader.kill('SIGKILL');
  const killed = performance.now();
  const next = await cluster.leader();
  const elected = performance.now() - killed;
  const watchMs = await watchRight(next, killed);
  await sleep(25_000);
  for (const address of load.servers) assert.ok(await entryOf(next, `${Faults.name}/${address}`), address);
  context.diagnostic(
    `${load.sent()} calls; another leader after ${seconds(elected)}, watch right ${seconds(watchMs)} after the kill`,
  );
});

test(
  'F9: a server whose entry is removed gets no new call, and finishes those it has',
  TIME_LIMIT,
  async (context) => {
    await using agent = await startConsul();
    await using load = await underLoad([agent.address]);
    const [gone, ...others] = load.servers as [string, ...string[]];
    await until(
      () => load.attempts.picked(gone),
      (picked) => picked > 200,
    );
    // The server would write its entry again at its next renewal.
    await using reader = read(consul({ address: agent.address }), Faults.name);
    await reader.untilNodes(({ length }) => length === 3);
    await agent.delete(`${Faults.name}/${gone}`);
    await reader.untilAddresses(...others);
    const told = performance.now();
    await sleep(1_500);
    const late = load.attempts.all.filter(({ address, sentAt }) => address === gone && sentAt > told);
    const lastMs = Math.max(0, ...late.map(({ sentAt }) => sentAt - told));
    context.diagnostic(
      `${late.length} calls went to it after the watch had told, the last ${lastMs.toFixed(1)} ms later`,
    );
    assert.ok(lastMs <= 100, `${lastMs} ms`);
    assert.equal(load.attempts.inFlight(gone), 0);
  },
);
