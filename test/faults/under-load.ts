import assert from 'node:assert/strict';
import { consul } from 'lictor/plugin/consul';
import { recordingLogger } from '../plugin/log.js';
import { type Calling, calling } from './calling.js';
import { type Nodes, nodesIn } from './nodes.js';

/**
 * Three servers in processes of their own, registered under the TTL of production, and a client of theirs that calls all
 * the time, without retries. When it is disposed of, no call has failed and the client has left nothing behind.
 */
export interface UnderLoad extends Calling {
  readonly servers: readonly string[];
  readonly nodes: Nodes;
}

/** @param agents addresses of Consul agents, tried in turn */
export async function underLoad(agents: readonly string[]): Promise<UnderLoad> {
  const nodes = nodesIn('consul', agents.join());
  const servers = await Promise.all([nodes.start(), nodes.start(), nodes.start()]);
  const logger = recordingLogger();
  const calls = calling({ resolver: consul({ address: agents, logger }), logger });
  return {
    ...calls,
    ...{ servers, nodes, warnings: logger.lines },
    async [Symbol.asyncDispose]() {
      await using _nodes = nodes;
      await using _client = calls;
      await calls.stop();
      assert.deepEqual(calls.failed(), {}, `of ${calls.sent()} calls`);
    },
  };
}
