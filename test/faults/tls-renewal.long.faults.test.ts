import { test } from 'node:test';
import { renewedEachSecond } from './tls-renewal.js';

const LIMIT = { timeout: 300_000 };

for (const transport of ['h2', 'grpc-js'] as const) {
  test(
    `certificates that are renewed each second for a minute cost no call over ${transport}`,
    LIMIT,
    async (t) => {
      t.diagnostic(await renewedEachSecond(60, transport));
    },
  );
}
