import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { startConsul } from '../consul/agent.js';
import { recordingLogger } from '../plugin/log.js';
import { outage } from './consul-outage.js';
import { heapMiB } from './heap.js';
import { openLoop } from './load.js';
import { nodesIn } from './nodes.js';
import { resources } from './resources.js';
import { Faults } from './service.js';
import { underLoad } from './under-load.js';

const MINUTE_MS = 60_000;
const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

test('F2: an agent that is down for ten minutes costs no call, no memory and no timer', {
  timeout: 20 * MINUTE_MS,
}, async (context) => {
  await using agent = await startConsul();
  await using nodes = nodesIn('consul', agent.address);
  await Promise.all([nodes.start(), nodes.start(), nodes.start()]);
  const before = resources();
  const logger = recordingLogger();
  const resolver = consul({ address: agent.address, logger });
  const client = new Client({ resolver, logger, timeoutMs: 5_000, retry: { attempts: 1 } });
  const faults = client.service(Faults);
  const load = openLoop(500, (n) => faults.work({ n }));
  try {
    await sleep(5_000);
    await agent.kill('SIGKILL');
    await sleep(MINUTE_MS);
    const early = { heap: heapMiB(), timers: timers() };
    await sleep(9 * MINUTE_MS);
    const late = { heap: heapMiB(), timers: timers() };
    await agent.restart();
    await sleep(2_000);
    assert.equal(client.watchState(Faults.name).kind, 'ready');
    await load.stop();
    context.diagnostic(
      `${load.sent} calls, ${load.failures.length} failed; heap ${early.heap.toFixed(1)} MiB after a minute, ${late.heap.toFixed(1)} after ten; ${early.timers} and ${late.timers} timers`,
    );
    assert.deepEqual(load.failures, []);
    assert.ok(late.heap <= early.heap + 5, `${early.heap} MiB became ${late.heap}`);
    assert.ok(late.timers <= early.timers + 1, `${early.timers} timers became ${late.timers}`);
    assert.equal(logger.lines.length, 2, JSON.stringify(logger.lines));
  } finally {
    await load.stop();
    await client.close();
  }
  await resources.are(before);
});

for (const { id, wipe, what } of [
  { id: 'F1', wipe: false, what: 'is down for 30 s' },
  { id: 'F3', wipe: true, what: 'is down for 30 s and has lost its data' },
]) {
  test(`${id}: an agent that ${what} costs no call of 500 a second`, {
    timeout: 4 * MINUTE_MS,
  }, async (context) => {
    await using agent = await startConsul();
    await using load = await underLoad([agent.address]);
    context.diagnostic(await outage(agent, load, { wipe, downMs: 30_000, aroundMs: 15_000 }));
  });
}
