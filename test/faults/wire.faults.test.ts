import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fixed } from 'lictor/plugin/fixed';
import { calling } from './calling.js';
import { chaosProxy } from './chaos-proxy.js';
import { at, ms, quantile, usedAgain } from './figures.js';
import { nodesIn } from './nodes.js';

// What becomes of calls when the line to a server is bad and says nothing of it. Loss is that of the proxy's making: no
// packet is lost on loopback without netem, which few kernels of containers have.

const LIMIT = { timeout: 120_000 };
/** An attempt to connect that began before the line was whole again ends first, and then there is a pause. */
const BACK_MS = 4_000;

test(
  'F29: a server that takes connections and says nothing is known after two seconds, and costs nothing',
  LIMIT,
  async (t) => {
    await using nodes = nodesIn('none');
    const [behind, ...others] = (await Promise.all([nodes.start(), nodes.start(), nodes.start()])) as [
      string,
      ...string[],
    ];
    await using line = await chaosProxy(behind, { drops: true });
    await using calls = calling({ resolver: fixed([line.address, ...others]), retry: false });
    const since = performance.now();
    await sleep(4_000);
    const wrong = at(calls, line.address);
    const lastMs = Math.max(...wrong.map(({ sentAt }) => sentAt - since));
    const slow = calls.seen.filter((one) => one.ms > 1_000);
    assert.ok(slow.length <= wrong.length, `${slow.length} calls were slow, ${wrong.length} went there`);
    const after = calls.seen.filter((one) => one.at > since + 2_200).map((one) => one.ms);
    line.chaos = {};
    const whole = performance.now();
    const againMs = await usedAgain(calls, line.address, whole);
    await calls.untilPicked([line.address, ...others], 50);
    await calls.stop();
    t.diagnostic(
      `${calls.sent()} calls, ${JSON.stringify(calls.failed())} failed; ${wrong.length} waited for the silent server, the last after ${ms(lastMs)}; p99 of the others ${ms(quantile(after, 0.99))}; used ${ms(againMs)} after it spoke`,
    );
    assert.ok(wrong.length > 0);
    assert.ok(lastMs <= 2_200, ms(lastMs));
    assert.deepEqual(calls.failed(), {});
    assert.ok(quantile(after, 0.99) < 1_000, ms(quantile(after, 0.99)));
    assert.ok(againMs <= BACK_MS, ms(againMs));
  },
);

for (const { method, retry, what } of [
  {
    method: 'work',
    retry: { attempts: 1 },
    what: 'is found by a ping and costs the calls that were sent there',
  },
  { method: 'look', retry: {}, what: 'costs no idempotent call with retries' },
] as const) {
  test(`F30: a black hole in the middle of a connection ${what}`, LIMIT, async (t) => {
    await using nodes = nodesIn('none');
    const [behind, ...others] = (await Promise.all([nodes.start(), nodes.start(), nodes.start()])) as [
      string,
      ...string[],
    ];
    await using line = await chaosProxy(behind);
    const resolver = fixed([line.address, ...others]);
    await using calls = calling({ resolver, method, retry, timeoutMs: 8_000 });
    await calls.untilPicked([line.address, ...others], 200);
    line.chaos = { drops: true };
    const since = performance.now();
    await sleep(4_000);
    const wrong = at(calls, line.address, since);
    const lastMs = Math.max(0, ...wrong.map(({ sentAt }) => sentAt - since));
    assert.equal(calls.attempts.inFlight(line.address), 0, 'a call still waits for the black hole');
    assert.ok(line.connections <= 1, `${line.connections} sockets, where one is tried at a time`);
    line.chaos = {};
    const whole = performance.now();
    const againMs = await usedAgain(calls, line.address, whole);
    await calls.untilPicked([line.address, ...others], 50);
    await calls.stop();
    const failed = calls.seen.filter(({ error }) => error);
    t.diagnostic(
      `${calls.sent()} calls, ${JSON.stringify(calls.failed())} failed, ${wrong.length} were sent into it; last wrong pick after ${ms(lastMs)}; used again ${ms(againMs)} after the line was whole`,
    );
    assert.ok(lastMs <= 3_000, ms(lastMs));
    assert.ok(againMs <= BACK_MS, ms(againMs));
    if (method === 'look') return assert.deepEqual(calls.failed(), {});
    assert.ok(failed.length > 0 && failed.length <= at(calls, line.address, since - 100).length);
    for (const { error } of failed) {
      assert.match(error!.message, /UNAVAILABLE.*no answer to a ping/);
      assert.equal(error!.maybeExecuted, true);
    }
  });
}

for (const { what, lossShare } of [
  { what: 'A line of 200 ms ± 50', lossShare: 0 },
  { what: 'A line of 200 ms ± 50 that loses 5 %', lossShare: 0.05 },
]) {
  test(`F34: ${what} costs no call, and no node is left out for it`, LIMIT, async (t) => {
    await using nodes = nodesIn('none');
    const servers = await Promise.all([nodes.start(), nodes.start(), nodes.start()]);
    // There and back: 200 ms.
    const chaos = { latencyMs: 100, jitterMs: 25, lossShare };
    await using first = await chaosProxy(servers[0]!, chaos);
    await using second = await chaosProxy(servers[1]!, chaos);
    await using third = await chaosProxy(servers[2]!, chaos);
    const all = [first, second, third].map(({ address }) => address);
    await using calls = calling({ resolver: fixed(all), retry: false, timeoutMs: 2_000 });
    await calls.untilPicked(all, 20);
    const connected = performance.now();
    const leftOut = new Set<string>();
    for (const end = performance.now() + 3_000; performance.now() < end; await sleep(10))
      for (const { node, eligible } of calls.client.explain('faults.Faults').nodes)
        if (!eligible) leftOut.add(node.address);
    await calls.stop();
    const times = calls.seen.filter((one) => one.at >= connected).map((one) => one.ms);
    const p99 = quantile(times, 0.99);
    const thereAndBackMs =
      2 *
      quantile(
        [first, second, third].flatMap(({ heldMs }) => heldMs),
        0.99,
      );
    t.diagnostic(
      `${calls.sent()} calls, ${JSON.stringify(calls.failed())} failed; p50 ${ms(quantile(times, 0.5))}, p99 ${ms(p99)}, of the line ${ms(thereAndBackMs)}`,
    );
    assert.deepEqual(calls.failed(), {});
    assert.deepEqual([...leftOut], []);
    // The line and the work, and no time-out.
    assert.ok(p99 <= 3 * thereAndBackMs, `${ms(p99)}, of the line ${ms(thereAndBackMs)}`);
    for (const { connections } of [first, second, third]) assert.equal(connections, 1);
  });
}
