import { test } from 'node:test';
import { clientsComeAndGo, servicesLookedUp } from './clients.js';

const LIMIT = { timeout: 120_000 };

test('F58: 1,000 clients that come and go leave nothing behind', LIMIT, async (t) => {
  t.diagnostic(await clientsComeAndGo(1_000));
});

test('F58: 1,000 services that are looked up once leave nothing behind', LIMIT, async (t) => {
  t.diagnostic(await servicesLookedUp(1_000));
});
