import assert from 'node:assert/strict';
import { it } from 'node:test';
import { interruptedRequests } from '../transport/interrupted.js';

const CALLS = 1_000;
const LIMIT = { timeout: 120_000 };

for (const transport of ['h2', 'grpc-js'] as const) {
  for (const [line, latencyMs] of [
    ['loopback', undefined],
    ['a line that adds 2 ms', 2],
  ] as const) {
    it(
      `of ${CALLS} streams of requests that break off none looks whole: ${transport}, ${line}`,
      LIMIT,
      async (t) => {
        const seen = await interruptedRequests({
          client: 'grpc-js',
          transport,
          calls: CALLS,
          ...(latencyMs === undefined ? {} : { latencyMs }),
        });
        t.diagnostic(`${seen.broken} seen to break off, ${seen.whole} taken as whole`);
        assert.equal(seen.whole, 0);
      },
    );
  }
}
