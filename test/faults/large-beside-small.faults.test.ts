import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ClientOptions, silentLogger } from 'lictor';
import { quantile } from './figures.js';
import { nodesIn } from './nodes.js';
import { resources } from './resources.js';
import { Reads } from './service.js';

const ROUNDS = 6;
const ROUND_MS = 1_000;
/** A reply of 4 MiB, as JSON. */
const LARGE = 4 * 2 ** 20 - 100;

/** Small calls, one every few milliseconds, and how long they took. */
async function smallCalls(client: Client): Promise<number[]> {
  const times: number[] = [];
  const running: Promise<void>[] = [];
  for (const end = performance.now() + ROUND_MS; performance.now() < end; await sleep(2)) {
    const at = performance.now();
    running.push(
      client
        .service(Reads)
        .fetch({ n: 100 })
        .then(() => void times.push(performance.now() - at)),
    );
  }
  await Promise.all(running);
  return times;
}

async function largeCalls(client: Client, count: { large: number }, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { bytes } = await client.service(Reads).fetch({ n: LARGE });
    assert.equal(bytes.length, LARGE);
    count.large++;
  }
}

test('F57: calls of 100 bytes take hardly longer on a connection that carries 4 MiB messages than beside it', {
  timeout: 120_000,
}, async (t) => {
  await using nodes = nodesIn('none', '', { behaviour: { workMs: 0 } });
  const address = await nodes.start();
  const before = resources();
  const options: ClientOptions = { target: address, logger: silentLogger };
  await using shared = new Client(options);
  await using apart = new Client(options);
  const count = { large: 0 };
  const times: Record<'shared' | 'apart', number[]> = { shared: [], apart: [] };
  await smallCalls(shared);
  // Both beside the same load: what it takes to write and read such messages as JSON holds up both processes, whichever
  // connection they come by.
  for (let round = 0; round < ROUNDS; round++) {
    const stop = new AbortController();
    const large = largeCalls(shared, count, stop.signal);
    const which = round % 2 === 0 ? 'shared' : 'apart';
    times[which].push(...(await smallCalls(which === 'shared' ? shared : apart)));
    stop.abort();
    await large;
  }
  await shared.close();
  await apart.close();
  await resources.are(before);
  const figures = (['shared', 'apart'] as const).map((which) => ({
    which,
    p50: quantile(times[which], 0.5),
    p99: quantile(times[which], 0.99),
  }));
  t.diagnostic(
    `${count.large} large messages; small calls: ${figures.map(({ which, p50, p99 }) => `${which} p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`).join('; ')}`,
  );
  assert.ok(count.large > ROUNDS);
  assert.ok(figures[0]!.p99 <= 3 * figures[1]!.p99, JSON.stringify(figures));
});
