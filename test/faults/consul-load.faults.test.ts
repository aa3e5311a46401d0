import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { consul } from 'lictor/plugin/consul';
import { type ConsulAgent, startConsul } from '../consul/agent.js';
import { startConsulCluster } from '../consul/cluster.js';
import { entryOf, until } from '../consul/registered.js';
import { read } from '../contract/reader.js';
import { Faults } from './service.js';
import { type UnderLoad, underLoad } from './under-load.js';

// Calls all the time while Consul is in trouble, with the TTL of production. Not one of them may fail.

const TIME_LIMIT = { timeout: 240_000 };
const TTL_MS = 10_000;
/** A renewal is due after a third of the TTL, give or take a tenth. */
const ENTRIES_BACK_MS = (TTL_MS / 3) * 1.1 + 1_000;

const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`;

/** How long after `since` all servers have an entry. */
async function entriesBack(agent: ConsulAgent, servers: readonly string[], since: number): Promise<number> {
  for (const address of servers)
    await until(
      () => entryOf(agent, `${Faults.name}/${address}`),
      (entry) => entry !== undefined,
    );
  return performance.now() - since;
}

/** How long after `since` a client's watch knows of a server that is listed now; a drained one, so that none calls it. */
async function watchRight(agent: ConsulAgent, since: number): Promise<number> {
  const marker = { address: '127.0.0.1:9', weight: 0 };
  await using reader = read(consul({ address: agent.address }), Faults.name);
  await agent.put(`${Faults.name}/${marker.address}`, JSON.stringify(marker));
  await reader.untilNodes((nodes) => nodes.some(({ address }) => address === marker.address));
  return performance.now() - since;
}

async function outage(agent: ConsulAgent, load: UnderLoad, wipe: boolean, print: (figures: string) => void) {
  await sleep(15_000);
  const beforeOutage = load.sent();
  await agent.kill('SIGKILL');
  await sleep(30_000);
  assert.equal(load.client.watchState(Faults.name).kind, 'stale');
  await agent.restart({ wipe });
  const back = performance.now();
  const during = load.sent() - beforeOutage;
  const [watchMs, entriesMs] = await Promise.all([
    watchRight(agent, back),
    entriesBack(agent, load.servers, back),
  ]);
  await sleep(15_000);
  print(
    `${load.sent()} calls, ${during} of them without Consul; watch right after ${seconds(watchMs)}, entries back after ${seconds(entriesMs)}`,
  );
  assert.equal(load.client.watchState(Faults.name).kind, 'ready');
  assert.ok(watchMs <= (wipe ? 3_000 : 2_000), `watch right after ${seconds(watchMs)}`);
  assert.ok(entriesMs <= ENTRIES_BACK_MS, `entries back after ${seconds(entriesMs)}`);
  const told = load.warnings.map(({ message }) => message);
  assert.deepEqual(told, [
    'the registry does not answer; the last list is kept',
    'the registry answers again',
  ]);
}

for (const { id, wipe, what } of [
  { id: 'F1', wipe: false, what: 'is down for 30 s' },
  { id: 'F3', wipe: true, what: 'is down for 30 s and has lost its data' },
]) {
  test(`${id}: an agent that ${what} costs no call of 500 a second`, TIME_LIMIT, async (context) => {
    await using agent = await startConsul();
    await using load = await underLoad([agent.address]);
    await outage(agent, load, wipe, (figures) => context.diagnostic(figures));
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
