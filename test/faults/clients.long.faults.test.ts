import { test } from 'node:test';
import { clientsComeAndGo, servicesLookedUp } from './clients.js';

const LIMIT = { timeout: 600_000 };

test('F58: 10,000 clients that come and go leave nothing behind', LIMIT, async (t) => {
  t.diagnostic(await clientsComeAndGo(10_000));
});

test('F58: 10,000 services that are looked up once leave nothing behind', LIMIT, async (t) => {
  t.diagnostic(await servicesLookedUp(10_000));
});
