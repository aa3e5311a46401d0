import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Server } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { startConsul } from '../consul/agent.js';
import { read } from '../contract/reader.js';
import { recordingLogger } from '../plugin/log.js';
import { openLoop } from './load.js';
import { Faults } from './service.js';

const CALLS_PER_SECOND = 500;

test('F1: an agent that is killed under load and comes back costs no call of a catalog', {
  timeout: 120_000,
}, async () => {
  await using agent = await startConsul();
  const plugin = () => consul({ mode: 'catalog', address: agent.address });
  const logger = recordingLogger();
  const servers = [1, 2, 3].map(() => {
    const server = new Server({ address: '127.0.0.1:0', plugins: [plugin()], drainMs: 0, logger });
    return server.registerService(Faults, { work: ({ n }) => ({ n }) });
  });
  await Promise.all(servers.map((server) => server.serve()));
  await using client = new Client({ resolver: plugin(), logger, timeoutMs: 5_000 });
  const faults = client.service(Faults);
  const load = openLoop(CALLS_PER_SECOND, (n) => faults.work({ n }));
  await using _ = {
    async [Symbol.asyncDispose]() {
      await load.stop();
      await Promise.all(servers.map((server) => server.close()));
    },
  };
  await using reader = read(plugin(), Faults.name);
  await reader.untilNodes(({ length }) => length === 3);
  const calls = async (more: number) => {
    for (const enough = load.sent + more; load.sent < enough; ) await sleep(20);
  };
  await calls(200);
  await agent.kill('SIGKILL');
  await reader.untilFailure();
  await calls(1_500);
  await agent.restart();
  await reader.untilNodes(({ length }) => length === 3);
  await calls(500);
  await load.stop();
  assert.deepEqual(load.failures, []);
  // One line per outage and side, and one when it is over, whatever the number of attempts. The client may have its first
  // answer before the servers are registered again, and says that once.
  const isGone = (line: { message: string }) => line.message.startsWith('most nodes are gone');
  const [gone, others] = [logger.lines.filter(isGone), logger.lines.filter((line) => !isGone(line))];
  assert.ok(gone.length <= 1 && others.length <= 2 * (servers.length + 1), JSON.stringify(logger.lines));
});
