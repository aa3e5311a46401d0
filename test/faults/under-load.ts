import assert from 'node:assert/strict';
import { Client } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { h2 } from '../../transport/h2/engine.js';
import { recordingLogger } from '../plugin/log.js';
import { openLoop, watched } from './load.js';
import { type Nodes, nodesIn } from './nodes.js';
import { resources } from './resources.js';
import { Faults } from './service.js';

export const CALLS_PER_SECOND = 500;

/**
 * Three servers in processes of their own, registered under the TTL of production, and a client of theirs that calls all
 * the time, without retries. When it is disposed of, no call has failed and the client has left nothing behind.
 */
export interface UnderLoad extends AsyncDisposable {
  readonly servers: readonly string[];
  readonly nodes: Nodes;
  readonly client: Client;
  readonly attempts: ReturnType<typeof watched>['attempts'];
  readonly warnings: ReturnType<typeof recordingLogger>['lines'];
  sent(): number;
}

/** @param agents addresses of Consul agents, tried in turn */
export async function underLoad(agents: readonly string[]): Promise<UnderLoad> {
  const nodes = nodesIn('consul', agents.join());
  const servers = await Promise.all([nodes.start(), nodes.start(), nodes.start()]);
  const before = resources();
  const logger = recordingLogger();
  const { engine, attempts } = watched(h2);
  const resolver = consul({ address: agents, logger });
  const client = new Client({
    resolver,
    transport: engine,
    logger,
    timeoutMs: 5_000,
    retry: { attempts: 1 },
  });
  const faults = client.service(Faults);
  const load = openLoop(CALLS_PER_SECOND, (n) => faults.work({ n }));
  return {
    ...{ servers, nodes, client, attempts, warnings: logger.lines, sent: () => load.sent },
    async [Symbol.asyncDispose]() {
      await load.stop();
      await client.close();
      await using _ = nodes;
      assert.deepEqual(load.failures, [], `of ${load.sent} calls`);
      await resources.are(before);
    },
  };
}
