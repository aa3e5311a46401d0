import { test } from 'node:test';
import { runOnce } from './once.js';

test('F54: of 100,000 calls that must not run twice none does, while servers are killed', {
  timeout: 1_200_000,
}, async (t) => {
  t.diagnostic(await runOnce({ calls: 100_000, killEveryMs: 300 }));
});
