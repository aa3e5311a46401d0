import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, RpcError, silentLogger } from 'lictor';
import { collect } from '../contract/transport.js';
import { seeded } from '../seeded.js';
import { type Chaos, chaosProxy, type Side } from './chaos-proxy.js';
import { nodesIn } from './nodes.js';
import { resources } from './resources.js';
import { Reads } from './service.js';

// What becomes of calls whose bytes come one by one, or changed.

const LIMIT = { timeout: 120_000 };

type ReadsClient = ReturnType<typeof readsOf>;
const readsOf = (client: Client) => client.service(Reads);

/** What calls of all kinds give. */
async function allKinds(reads: ReadsClient) {
  const requests = async function* () {
    for (let n = 1; n <= 5; n++) yield { n };
  };
  return Promise.all([
    reads.look({ n: 7 }),
    reads.fetch({ n: 3_000 }),
    collect(reads.count({ n: 20 })),
    reads.sum(requests()),
    collect(reads.double(requests())),
  ]);
}

test(
  'F33: calls of all four kinds have the same results when their bytes come one by one',
  LIMIT,
  async (t) => {
    await using nodes = nodesIn('none', '', { behaviour: { workMs: 0 } });
    const behind = await nodes.start();
    const before = resources();
    await using line = await chaosProxy(behind);
    const results: unknown[] = [];
    const chaos: Chaos[] = [{}, { pieceBytes: 1 }, { pieceBytes: 2 }, { pieceBytes: 13 }];
    for (const one of chaos) {
      line.chaos = one;
      await using client = new Client({ target: line.address, logger: silentLogger });
      for (let round = 0; round < 3; round++) results.push(await allKinds(readsOf(client)));
    }
    for (const result of results) assert.deepEqual(result, results[0]);
    await resources.are(before);
    t.diagnostic(`${results.length} rounds of five calls; ${line.replyBytes} bytes of replies`);
  },
);

for (const { side, what } of [
  { side: 'server', what: 'a reply' },
  { side: 'client', what: 'a request' },
] as const) {
  test(
    `F33: whichever bit of ${what} flips, each call ends by its deadline, and only content can change`,
    LIMIT,
    async (t) => {
      const BITS = 960;
      const TEXT = 40;
      await using nodes = nodesIn('none', '', { behaviour: { workMs: 0 } });
      const behind = await nodes.start();
      const before = resources();
      const count = { ok: 0, changed: 0 };
      const failed: Record<string, number> = {};
      const changedAt: number[] = [];
      let next = 0;
      let slowestMs = 0;
      const flipper = async () => {
        await using line = await chaosProxy(behind);
        for (let bit = next++; bit < BITS; bit = next++) {
          line.chaos = {};
          await using client = new Client({
            target: line.address,
            retry: false,
            timeoutMs: 1_000,
            logger: silentLogger,
          });
          const reads = readsOf(client);
          await reads.fetch({ n: TEXT }, { timeoutMs: 20_000 });
          line.chaos = { flips: only(side, bit >> 3, 1 << (bit & 7)) };
          const at = performance.now();
          try {
            const { bytes } = await reads.fetch({ n: TEXT });
            if (bytes === 'x'.repeat(TEXT)) count.ok++;
            else changedAt.push(bit >> 3);
          } catch (error) {
            assert.ok(error instanceof RpcError, String(error));
            failed[error.status] = (failed[error.status] ?? 0) + 1;
          }
          slowestMs = Math.max(slowestMs, performance.now() - at);
        }
      };
      await Promise.all(Array.from({ length: 40 }, flipper));
      count.changed = changedAt.length;
      t.diagnostic(
        `${BITS} bits: ${JSON.stringify(count)}, failed ${JSON.stringify(failed)}; changed at bytes ${Math.min(...changedAt)} to ${Math.max(...changedAt)}; the slowest call took ${slowestMs.toFixed(0)} ms`,
      );
      assert.ok(slowestMs < 2_000);
      // HTTP/2 has no checksum, so that a message may come changed; but it is the bytes of one message, not of its frame.
      assert.ok(
        Math.max(...changedAt) - Math.min(...changedAt) < JSON.stringify({ bytes: 'x'.repeat(TEXT) }).length,
      );
      await using client = new Client({ target: behind, logger: silentLogger });
      assert.deepEqual(await readsOf(client).fetch({ n: 1 }), { bytes: 'x' });
      await client.close();
      await resources.are(before);
    },
  );
}

const only = (side: Side, position: number, bits: number) => (at: number, of: Side) =>
  of === side && at === position ? bits : 0;

test(
  'F33: with bits that flip at random calls end by their deadline, and the server serves others',
  LIMIT,
  async (t) => {
    const random = seeded(33);
    await using nodes = nodesIn('none', '', { behaviour: { workMs: 0 } });
    const behind = await nodes.start();
    const before = resources();
    await using line = await chaosProxy(behind, {
      flips: () => (random() < 0.001 ? 1 << (random() * 8) : 0),
    });
    await using bad = new Client({
      target: line.address,
      retry: false,
      timeoutMs: 500,
      logger: silentLogger,
    });
    await using good = new Client({ target: behind, logger: silentLogger });
    const count = { ended: 0, failed: 0 };
    for (let round = 0; round < 60; round++) {
      const outcomes = await Promise.allSettled([
        ...Array.from({ length: 20 }, () => readsOf(bad).fetch({ n: 100 })),
        collect(readsOf(bad).count({ n: 50 }, { timeoutMs: 500 })),
        collect(readsOf(bad).double(one(), { timeoutMs: 500 })),
      ]);
      count.ended += outcomes.length;
      for (const outcome of outcomes) {
        if (outcome.status === 'fulfilled') continue;
        count.failed++;
        assert.ok(outcome.reason instanceof RpcError, String(outcome.reason));
      }
      assert.deepEqual(await readsOf(good).fetch({ n: 1 }), { bytes: 'x' });
    }
    t.diagnostic(`${count.ended} calls ended, ${count.failed} of them failed`);
    assert.ok(count.failed > 0 && count.failed < count.ended);
    line.chaos = {};
    await bad.close();
    await good.close();
    await resources.are(before);
  },
);

async function* one() {
  yield { n: 1 };
}
