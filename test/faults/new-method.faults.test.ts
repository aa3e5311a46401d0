import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, defineService, Server, serverStream, unary } from 'lictor';
import { recordingLogger } from '../plugin/log.js';
import { scriptedResolver } from '../scripted-resolver.js';
import { CALLS_PER_SECOND } from './calling.js';
import { openLoop } from './load.js';

// Servers are updated one after the other to a release with methods that the one before does not have.

const LIMIT = { timeout: 60_000 };
type By = { version: number };
const Release = defineService('faults.Release', {
  old: unary<object, By>(),
  added: unary<object, By>(),
  listAdded: serverStream<object, By>(),
});
const STEP_MS = 1_500;

test('a rolling update of three servers that adds methods costs no call', LIMIT, async (t) => {
  const logger = recordingLogger();
  const start = async (version: 1 | 2, address: string) => {
    const server = new Server({ address, logger, graceMs: 5_000 });
    const old = { old: () => ({ version }) };
    const added = {
      added: () => ({ version }),
      async *listAdded() {
        yield { version };
      },
    };
    server.registerService(
      Release,
      version === 1 ? (old as typeof old & typeof added) : { ...old, ...added },
    );
    await server.serve();
    return server;
  };
  const servers = await Promise.all([1, 2, 3].map(() => start(1, '127.0.0.1:0')));
  await using _ = {
    [Symbol.asyncDispose]: async () => void (await Promise.all(servers.map((server) => server.closeNow()))),
  };
  const addresses = servers.map(({ address }) => address);
  const resolver = scriptedResolver();
  resolver.nodes(...addresses);
  await using client = new Client({
    resolver,
    logger,
    retry: false,
    timeoutMs: 5_000,
  });
  const api = client.service(Release);
  const calls = { old: 0, added: 0, listAdded: 0 };
  /** How many calls of the old method each version has answered in this step. */
  let share = { 1: 0, 2: 0 };
  let isAdded = false;
  const load = openLoop(CALLS_PER_SECOND, async (n) => {
    const kind = isAdded ? (['old', 'added', 'listAdded'] as const)[n % 3]! : 'old';
    calls[kind]++;
    if (kind === 'old') share[(await api.old({})).version as 1 | 2]++;
    else if (kind === 'added') assert.equal((await api.added({})).version, 2);
    else for await (const { version } of api.listAdded({})) assert.equal(version, 2);
  });
  const shares: (typeof share)[] = [];
  for (const [i, server] of servers.entries()) {
    await sleep(300);
    resolver.nodes(...addresses.filter((_, other) => other !== i));
    await server.close();
    servers[i] = await start(2, addresses[i]!);
    resolver.nodes(...addresses);
    isAdded = true;
    share = { 1: 0, 2: 0 };
    await sleep(STEP_MS);
    shares.push(share);
  }
  await load.stop();
  t.diagnostic(
    `${load.sent} calls, ${JSON.stringify(calls)}, ${load.failures.length} failed; old calls by version in each step: ${JSON.stringify(shares)}`,
  );
  assert.deepEqual(load.failures.slice(0, 3), []);
  assert.ok(calls.added > 500 && calls.listAdded > 500);
  // Those not updated keep the calls of the old method, and none is left out.
  assert.ok(shares[0]![1] > shares[0]![2] && shares[1]![1] > 50, JSON.stringify(shares));
  assert.ok(client.explain(Release.name).nodes.every(({ eligible }) => eligible));
  assert.equal(logger.lines.filter(({ message }) => /fails and is left out/.test(message)).length, 0);
});
