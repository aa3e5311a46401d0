import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { fixed } from 'lictor/plugin/fixed';
import { startConsul } from '../consul/agent.js';
import { calling } from './calling.js';
import { nodesIn } from './nodes.js';
import { Faults, Reads } from './service.js';

// What becomes of calls when servers are told to go.

const LIMIT = { timeout: 240_000 };
const ROUNDS = 10;

test(
  'F40: a rolling restart of three servers, ten times, costs no call without retries',
  LIMIT,
  async (t) => {
    await using agent = await startConsul();
    // No wait for clients to have seen it: calls may be on their way when a server begins to refuse.
    await using nodes = nodesIn('consul', agent.address, { drainMs: 0 });
    const servers = await Promise.all([nodes.start(), nodes.start(), nodes.start()]);
    await using calls = calling({ resolver: consul({ address: agent.address }), retry: false });
    await calls.untilPicked(servers, 50);
    const took: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (const address of servers) {
        const told = performance.now();
        nodes.signal(address, 'SIGTERM');
        assert.equal(await nodes.ended(address), 0);
        took.push(performance.now() - told);
        await nodes.start({ address });
      }
    }
    await calls.untilPicked(servers, 50);
    await calls.stop();
    t.diagnostic(
      `${calls.sent()} calls, ${JSON.stringify(calls.failed())} failed in ${took.length} restarts; a server took ${Math.round(Math.max(...took))} ms at most to go`,
    );
    assert.deepEqual(calls.failed(), {});
    assert.ok(Math.max(...took) < 10_000);
  },
);

test(
  'F41: a call that hangs and a stream that goes on end when the grace is over, and cost no other call',
  LIMIT,
  async (t) => {
    const GRACE_MS = 2_000;
    await using nodes = nodesIn('none', '', { graceMs: GRACE_MS });
    const [leaving, other] = (await Promise.all([
      nodes.start({ behaviour: { workMs: 5 } }),
      nodes.start(),
    ])) as [string, string];
    await using client = new Client({ resolver: fixed([leaving]) });
    const stream = client.service(Reads).count({ n: 1_000_000_000 });
    const streamed = (async () => {
      for await (const _ of stream);
    })().catch((error: unknown) => error);
    await nodes.tell(leaving, { hangs: true });
    const hung = client
      .service(Faults)
      .work({ n: 1 }, { timeoutMs: 30_000 })
      .catch((error: unknown) => error);
    await sleep(300);
    await nodes.tell(leaving, { workMs: 20 });
    await using calls = calling({ resolver: fixed([leaving, other]), retry: false });
    await calls.untilPicked([leaving, other], 100);
    const told = performance.now();
    nodes.signal(leaving, 'SIGTERM');
    const code = await nodes.ended(leaving);
    const took = performance.now() - told;
    await calls.untilPicked([other], 500);
    await calls.stop();
    t.diagnostic(
      `it ended after ${Math.round(took)} ms with a grace of ${GRACE_MS}; ${calls.sent()} other calls`,
    );
    assert.equal(code, 0);
    assert.ok(took >= GRACE_MS - 50 && took <= GRACE_MS + 500, `${took} ms`);
    for (const failure of await Promise.all([hung, streamed])) assert.match(String(failure), /UNAVAILABLE/);
    // It was not listed anywhere, so that clients learn of its leaving from its connection, and no call may be lost even so.
    assert.deepEqual(calls.failed(), {});
  },
);

test('F42: a second signal ends a server that waits for its calls at once', LIMIT, async (t) => {
  await using nodes = nodesIn('none', '', { graceMs: 60_000 });
  const address = await nodes.start({ behaviour: { hangs: true } });
  await using client = new Client({ resolver: fixed([address]) });
  const hung = client
    .service(Faults)
    .work({ n: 1 }, { timeoutMs: 60_000 })
    .catch((error: unknown) => error);
  await sleep(300);
  nodes.signal(address, 'SIGTERM');
  await sleep(1_000);
  const second = performance.now();
  nodes.signal(address, 'SIGINT');
  await nodes.ended(address);
  const took = performance.now() - second;
  t.diagnostic(`it ended ${Math.round(took)} ms after the second signal`);
  assert.ok(took < 500, `${took} ms`);
  assert.match(String(await hung), /UNAVAILABLE/);
});
