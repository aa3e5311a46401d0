import { test } from 'node:test';
import { renewedEachSecond } from './tls-renewal.js';

const LIMIT = { timeout: 120_000 };

for (const transport of ['h2', 'grpc-js'] as const) {
  test(`certificates that are renewed each second cost no call over ${transport}`, LIMIT, async (t) => {
    t.diagnostic(await renewedEachSecond(8, transport));
  });
}
