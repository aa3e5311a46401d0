import { test } from 'node:test';
import { runOnce } from './once.js';

test('F54: of 10,000 calls that must not run twice none does, while servers are killed', {
  timeout: 120_000,
}, async (t) => {
  t.diagnostic(await runOnce({ calls: 10_000, killEveryMs: 300 }));
});
