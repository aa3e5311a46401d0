import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { interruptedRequests } from './interrupted.js';

describe('requests that break off', () => {
  for (const transport of ['h2', 'grpc-js'] as const) {
    for (const client of ['grpc-js', 'lictor', 'connect-node', 'node:http2'] as const) {
      it(`do not look whole to a handler: from ${client} to ${transport}`, { timeout: 60_000 }, async () => {
        const { whole, broken } = await interruptedRequests({ client, transport, calls: 60 });
        assert.equal(whole, 0);
        assert.ok(broken > 20, `${broken} handlers saw them`);
      });
    }
  }

  it('do not look whole through a line that adds 2 ms', { timeout: 60_000 }, async () => {
    for (const transport of ['h2', 'grpc-js'] as const) {
      const { whole } = await interruptedRequests({
        client: 'grpc-js',
        transport,
        calls: 60,
        latencyMs: 2,
      });
      assert.equal(whole, 0, transport);
    }
  });
});
