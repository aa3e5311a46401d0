import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, RpcError, silentLogger } from 'lictor';
import { chaosProxy } from './chaos-proxy.js';
import { heapMiB } from './heap.js';
import { type Account, type Nodes, nodesIn } from './nodes.js';
import { resources } from './resources.js';
import { Faults } from './service.js';

const CALLS = 10_000;
/** A connection takes 1,000 calls. */
const CLIENTS = 10;
const BATCH = 1_000;
const MEBIBYTE = 2 ** 20;

test('F46: 10,000 calls that are cancelled at once are aborted at the server, unanswered, and leave nothing', {
  timeout: 120_000,
}, async (t) => {
  // To tell what it holds it collects its garbage, and is late each time. On a busy machine that would be an overload, and
  // calls would be refused.
  await using nodes = nodesIn('none', '', { behaviour: { waits: true }, overload: false });
  const behind = await nodes.start();
  const before = resources();
  await using line = await chaosProxy(behind);
  const clients = Array.from(
    { length: CLIENTS },
    () => new Client({ target: line.address, logger: silentLogger, retry: false, timeoutMs: 60_000 }),
  );
  const apis = clients.map((client) => client.service(Faults));
  await nodes.tell(behind, { workMs: 0 });
  await Promise.all(apis.map((api) => api.work({ n: 0 })));
  const rounds: string[] = [];
  const held: { server: number; client: number }[] = [];
  for (let round = 1; round <= 2; round++) {
    const { started: startedBefore, aborted: abortedBefore } = await nodes.tell(behind, { waits: true });
    const stop = new AbortController();
    const calls: Promise<unknown>[] = [];
    // It is their end that comes at once; all at once they would hold up a busy machine for longer than a ping may take.
    while (calls.length < CALLS) {
      for (let i = 0; i < BATCH; i++) {
        const sent = apis[i % CLIENTS]!.work({ n: i }, { signal: stop.signal });
        calls.push(sent.then(() => 'answered', RpcError.from));
      }
      await toldUntil(nodes, behind, ({ started }) => started >= startedBefore + calls.length);
    }
    // Those who give up calls that they have only just made are taken for attackers, and that is not what this is about.
    await sleep(1_100);
    const bytesBefore = line.replyBytes;
    const at = performance.now();
    stop.abort();
    const outcomes = await Promise.all(calls);
    const clientMs = performance.now() - at;
    for (const outcome of outcomes) assert.equal((outcome as RpcError).status, 'CANCELLED', String(outcome));
    await toldUntil(nodes, behind, ({ aborted }) => aborted >= abortedBefore + CALLS);
    const serverMs = performance.now() - at;
    await sleep(300);
    const replyBytes = line.replyBytes - bytesBefore;
    // Of what is no reply: acknowledged pings, room for more requests.
    assert.ok(replyBytes < CLIENTS * 200, `${replyBytes} bytes were sent for calls that were cancelled`);
    const { aborted } = await nodes.tell(behind, { workMs: 0 });
    assert.equal(aborted, abortedBefore + CALLS);
    // The server takes 10,000 calls at a time: their places are free again.
    for (let n = 0; n < CALLS; n += BATCH)
      await Promise.all(Array.from({ length: BATCH }, (_, i) => apis[i % CLIENTS]!.work({ n: i })));
    calls.length = outcomes.length = 0; // They are the test's own.
    held.push({ server: (await nodes.tell(behind)).heapUsed / MEBIBYTE, client: heapMiB() });
    rounds.push(`${clientMs.toFixed(0)} ms, ${serverMs.toFixed(0)} ms, ${replyBytes} bytes`);
  }
  await Promise.all(clients.map((client) => client.close()));
  await resources.are(before);
  const figures = (side: 'server' | 'client') => held.map((one) => one[side].toFixed(1)).join(', ');
  t.diagnostic(
    `cancelled at the client after, aborted at the server after, sent by it: ${rounds.join('; ')}; heap in MiB: server ${figures('server')}, client ${figures('client')}`,
  );
  for (const side of ['server', 'client'] as const)
    assert.ok(held.at(-1)![side] - held[0]![side] < 5, `heap of the ${side}: ${figures(side)} MiB`);
});

/** Not more often than the server can bear, which collects its garbage before it tells. */
async function toldUntil(nodes: Nodes, address: string, fits: (account: Account) => boolean): Promise<void> {
  for (const end = performance.now() + 30_000; ; await sleep(50)) {
    const account = await nodes.tell(address);
    if (fits(account)) return;
    if (performance.now() > end) throw new Error(`not within 30 s: ${JSON.stringify(account)}`);
  }
}
