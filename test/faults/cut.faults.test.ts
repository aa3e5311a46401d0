import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, RpcError, Status, silentLogger } from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { chaosProxy } from './chaos-proxy.js';
import { nodesIn } from './nodes.js';
import { resources } from './resources.js';
import { Reads } from './service.js';

// What becomes of calls whose connection is cut in the middle of an answer, after every number of bytes.

const LIMIT = { timeout: 120_000 };
const MOST_BYTES = 200;
/** Calls that are sent again wait before, so that one cut after the other would take long. */
const AT_ONCE = 20;
const WANTED = { bytes: 'x'.repeat(60) };

for (const { id, by, what } of [
  { id: 'F31', by: 'reset', what: 'a reset' },
  { id: 'F32', by: 'half-close', what: 'a half-close' },
] as const) {
  for (const { when, isWarm, step } of [
    { when: 'of an answer', isWarm: true, step: 1 },
    { when: 'of a connection', isWarm: false, step: 5 },
  ]) {
    test(
      `${id}: ${what} after 1 to ${MOST_BYTES} bytes ${when} fails the calls there and no other, and gives no part of a reply`,
      LIMIT,
      async (t) => {
        await using nodes = nodesIn('none', '', { behaviour: { workMs: 0 } });
        const [behind, direct] = (await Promise.all([nodes.start(), nodes.start()])) as [string, string];
        const before = resources();
        await using line = await chaosProxy(behind);
        await using other = new Client({ target: direct, logger: silentLogger });
        const count = { failed: 0, whole: 0, elsewhere: 0 };
        for (let afterBytes = 1; afterBytes <= MOST_BYTES; afterBytes += step) {
          line.chaos = {};
          await using client = new Client({ target: line.address, retry: false, timeoutMs: 3_000 });
          const reads = client.service(Reads);
          if (isWarm) await reads.fetch({ n: 1 });
          line.chaos = { cut: { afterBytes, by } };
          const cutsBefore = line.cuts;
          const calls = [1, 2, 3].map(() => reads.fetch({ n: 60 }));
          const streamed = readAll(reads.count({ n: 20 }));
          const elsewhere = other.service(Reads).fetch({ n: 60 });
          for (const outcome of await Promise.allSettled(calls)) {
            if (outcome.status === 'fulfilled') {
              assert.deepEqual(outcome.value, WANTED);
              count.whole++;
            } else {
              isLoss(outcome.reason, isWarm);
              count.failed++;
            }
          }
          const { seen, error } = await streamed;
          assert.deepEqual(seen, [...seen.keys()]);
          if (error) isLoss(error, isWarm);
          else assert.equal(seen.length, 20);
          assert.deepEqual(await elsewhere, WANTED);
          count.elsewhere++;
          assert.ok(line.cuts > cutsBefore, `no connection was cut after ${afterBytes} bytes`);
        }
        await other.close();
        await resources.are(before);
        t.diagnostic(
          `${line.cuts} connections were cut: ${count.failed} calls failed with UNAVAILABLE, ${count.whole} had their reply before; 0 of ${count.elsewhere} elsewhere failed`,
        );
        assert.ok(count.failed >= MOST_BYTES / step);
        if (isWarm) assert.ok(count.whole > 0);
      },
    );
  }

  test(
    `${id}: ${what} in the middle of an answer costs no idempotent call with retries`,
    LIMIT,
    async (t) => {
      await using nodes = nodesIn('none', '', { behaviour: { workMs: 0 } });
      const [behind, direct] = (await Promise.all([nodes.start(), nodes.start()])) as [string, string];
      const count = { calls: 0, cuts: 0 };
      const cutAfter = async (afterBytes: number) => {
        await using line = await chaosProxy(behind);
        const resolver = fixed([line.address, direct]);
        await using client = new Client({ resolver, balancer: 'roundRobin', slowStartMs: 0 });
        const reads = client.service(Reads);
        await Promise.all(Array.from({ length: 4 }, () => reads.fetch({ n: 60 })));
        line.chaos = { cut: { afterBytes, by } };
        const replies = await Promise.all(Array.from({ length: 6 }, () => reads.fetch({ n: 60 })));
        for (const reply of replies) assert.deepEqual(reply, WANTED);
        count.calls += replies.length;
        count.cuts += line.cuts;
        assert.ok(line.cuts > 0, `no connection was cut after ${afterBytes} bytes`);
      };
      for (let first = 1; first <= MOST_BYTES; first += AT_ONCE)
        await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => cutAfter(first + i)));
      t.diagnostic(`${count.calls} calls, 0 failed; ${count.cuts} connections were cut`);
    },
  );
}

function isLoss(reason: unknown, mayHaveRun: boolean): void {
  assert.ok(reason instanceof RpcError);
  assert.equal(reason.code, Status.UNAVAILABLE, reason.message);
  if (mayHaveRun) assert.equal(reason.maybeExecuted, true, reason.message);
}

async function readAll(replies: AsyncIterable<{ n: number }>): Promise<{ seen: number[]; error: unknown }> {
  const seen: number[] = [];
  try {
    for await (const { n } of replies) seen.push(n);
    return { seen, error: undefined };
  } catch (error) {
    return { seen, error };
  }
}
