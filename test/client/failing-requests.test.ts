import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, clientStream, defineService, RpcError, Server, Status } from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { failure } from '../contract/transport.js';
import { recordingLogger } from '../plugin/log.js';

const Sums = defineService('failing.Sums', { sum: clientStream<object, object>() });

for (const transport of ['h2', 'grpc-js', 'memory'] as const) {
  test(`requests that fail say nothing of the node, on ${transport}`, { timeout: 20_000 }, async () => {
    const logger = recordingLogger();
    await using one = new Server({ transport, logger, graceMs: 0 });
    await using other = new Server({ transport, logger, graceMs: 0 });
    const nodes = [one, other];
    for (const server of nodes) {
      server.registerService(Sums, {
        async sum(requests) {
          for await (const _ of requests);
          return {};
        },
      });
      await server.serve();
    }
    const resolver = fixed(nodes.map(({ address }) => address));
    await using client = new Client({ resolver, transport, logger, graceMs: 0 });
    const api = client.service(Sums);
    async function* failing() {
      yield {};
      throw new RpcError(Status.INTERNAL, 'of another call');
    }
    for (let i = 0; i < 20; i++) assert.equal((await failure(api.sum(failing()))).code, Status.INTERNAL);
    // No node was left out.
    assert.deepEqual(logger.lines, []);
  });
}
