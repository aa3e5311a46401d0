import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { consul } from 'lictor/plugin/consul';
import type { ConsulAgent } from '../consul/agent.js';
import { entryOf, until } from '../consul/registered.js';
import { read } from '../contract/reader.js';
import { Faults } from './service.js';
import type { UnderLoad } from './under-load.js';

const TTL_MS = 10_000;
/** A renewal is due after a third of the TTL, give or take a tenth. */
export const ENTRIES_BACK_MS = (TTL_MS / 3) * 1.1 + 1_000;

/** Said once when the agent is back before the servers' entries are. */
const EMPTIED = 'most nodes are gone from the registry at once; those that still can be reached are used';

export const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`;

/** How long after `since` all servers have an entry. */
export async function entriesBack(
  agent: ConsulAgent,
  servers: readonly string[],
  since: number,
): Promise<number> {
  for (const address of servers)
    await until(
      () => entryOf(agent, `${Faults.name}/${address}`),
      (entry) => entry !== undefined,
    );
  return performance.now() - since;
}

/** How long after `since` a client's watch knows of a server that is listed now; a drained one, so that none calls it. */
export async function watchRight(agent: ConsulAgent, since: number): Promise<number> {
  const marker = { address: '127.0.0.1:9', weight: 0 };
  await using reader = read(consul({ address: agent.address }), Faults.name);
  await agent.put(`${Faults.name}/${marker.address}`, JSON.stringify(marker));
  await reader.untilNodes((nodes) => nodes.some(({ address }) => address === marker.address));
  return performance.now() - since;
}

export type Outage = { readonly wipe: boolean; readonly downMs: number; readonly aroundMs: number };

/**
 * Kills the agent, starts it again after `downMs`, and checks that all comes back in time; `aroundMs` of calls come before
 * and after.
 * @returns the figures
 */
export async function outage(
  agent: ConsulAgent,
  load: UnderLoad,
  { wipe, downMs, aroundMs }: Outage,
): Promise<string> {
  await sleep(aroundMs);
  const beforeOutage = load.sent();
  await agent.kill('SIGKILL');
  await sleep(downMs);
  assert.equal(load.client.watchState(Faults.name).kind, 'stale');
  await agent.restart({ wipe });
  const back = performance.now();
  const during = load.sent() - beforeOutage;
  const [watchMs, entriesMs] = await Promise.all([
    watchRight(agent, back),
    entriesBack(agent, load.servers, back),
  ]);
  await sleep(aroundMs);
  assert.equal(load.client.watchState(Faults.name).kind, 'ready');
  assert.ok(watchMs <= (wipe ? 3_000 : 2_000), `watch right after ${seconds(watchMs)}`);
  assert.ok(entriesMs <= ENTRIES_BACK_MS, `entries back after ${seconds(entriesMs)}`);
  const told = load.warnings.map(({ message }) => message);
  assert.deepEqual(
    told.filter((message) => !(wipe && message === EMPTIED)),
    ['the registry does not answer; the last list is kept', 'the registry answers again'],
  );
  assert.ok(told.length <= 3, told.join('\n'));
  return `${load.sent()} calls, ${during} of them without Consul; watch right after ${seconds(watchMs)}, entries back after ${seconds(entriesMs)}`;
}
