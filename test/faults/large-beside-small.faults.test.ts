import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ClientOptions, silentLogger } from 'lictor';
import { quantile } from './figures.js';
import { nodesIn } from './nodes.js';
import { resources } from './resources.js';
import { Bytes, LARGE, raw } from './service.js';

const ROUNDS = 9;
const ROUND_MS = 400;
const SMALL_BYTES = 100;

const bytesOf = (client: Client) => client.service(Bytes, { serialization: raw });

/** Small calls, one every few milliseconds, and how long they took. */
async function smallCalls(client: Client): Promise<number[]> {
  const bytes = bytesOf(client);
  const times: number[] = [];
  const running: Promise<void>[] = [];
  for (const end = performance.now() + ROUND_MS; performance.now() < end; await sleep(2)) {
    const at = performance.now();
    const given = bytes.give(Buffer.alloc(SMALL_BYTES));
    running.push(given.then(() => void times.push(performance.now() - at)));
  }
  await Promise.all(running);
  return times;
}

async function largeCalls(client: Client, count: { large: number }, signal: AbortSignal): Promise<void> {
  const bytes = bytesOf(client);
  while (!signal.aborted) {
    const { length } = await bytes.give(Buffer.from([1]));
    assert.equal(length, LARGE);
    count.large++;
    await sleep(10);
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
  const times: Record<'alone' | 'apart' | 'shared', number[][]> = { alone: [], apart: [], shared: [] };
  await smallCalls(shared);
  await smallCalls(apart);
  for (let round = 0; round < ROUNDS; round++) {
    times.alone.push(await smallCalls(shared));
    // Both beside the same load, which the two processes have to bear whichever connection it comes by.
    for (const which of ['apart', 'shared'] as const) {
      const stop = new AbortController();
      const large = largeCalls(shared, count, stop.signal);
      times[which].push(await smallCalls(which === 'shared' ? shared : apart));
      stop.abort();
      await large;
    }
  }
  await shared.close();
  await apart.close();
  await resources.are(before);
  // The median of all rounds: what else the machine does in one of them is not to count.
  const typical = (which: keyof typeof times, q: number) =>
    quantile(
      times[which].map((round) => quantile(round, q)),
      0.5,
    );
  const figures = (['alone', 'apart', 'shared'] as const).map(
    (which) => `${which} p50 ${typical(which, 0.5).toFixed(2)} ms, p99 ${typical(which, 0.99).toFixed(2)} ms`,
  );
  t.diagnostic(`${count.large} large messages; small calls: ${figures.join('; ')}`);
  assert.ok(count.large > ROUNDS);
  assert.ok(typical('shared', 0.99) <= 3 * typical('apart', 0.99), figures.join('; '));
});
