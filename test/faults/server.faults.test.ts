import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fixed } from 'lictor/plugin/fixed';
import { CALLS_PER_SECOND, calling } from './calling.js';
import { at, ms, quantile, until, usedAgain } from './figures.js';
import { type Nodes, nodesIn } from './nodes.js';

// What becomes of calls when their servers are killed, hang, fail, or are slow. The list of servers stays as it is: no
// registry tells the client anything.

const LIMIT = { timeout: 120_000 };

const start = (nodes: Nodes, count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, () => nodes.start()));

test(
  'F26, F27: with retries no idempotent call is lost when a server is killed, nor when it is back',
  LIMIT,
  async (t) => {
    await using nodes = nodesIn('none');
    const [victim, ...others] = (await start(nodes, 3)) as [string, ...string[]];
    await using calls = calling({ resolver: fixed([victim, ...others]), method: 'look', retry: {} });
    await calls.untilPicked([victim, ...others], 300);
    await nodes.kill(victim);
    await until(() => at(calls, victim).some(({ error }) => error), 'the first call fails');
    const firstError = performance.now();
    await sleep(3_000);
    const wrong = at(calls, victim, firstError);
    const lastMs = Math.max(0, ...wrong.map(({ sentAt }) => sentAt - firstError));
    assert.ok(
      lastMs <= 50,
      `picked ${wrong.length} times after its first error, the last ${ms(lastMs)} later`,
    );

    await nodes.start({ address: victim });
    const back = performance.now();
    const againMs = await usedAgain(calls, victim, back);
    await sleep(againMs + 1_000);
    const inFirstSecond = (address: string) =>
      at(calls, address, back + againMs).filter(({ sentAt }) => sentAt < back + againMs + 1_000).length;
    const [share, fullShare] = [inFirstSecond(victim), Math.max(...others.map(inFirstSecond))];
    await calls.untilPicked([victim], 500);
    await calls.stop();
    t.diagnostic(
      `${calls.sent()} calls, ${JSON.stringify(calls.failed())} failed; last wrong pick ${ms(lastMs)} after the first error; used ${ms(againMs)} after it listened, with ${share} calls in the first second beside ${fullShare}`,
    );
    assert.deepEqual(calls.failed(), {});
    assert.ok(againMs <= 1_000, ms(againMs));
    assert.ok(share < fullShare / 2, `${share} calls beside ${fullShare}`);
  },
);

for (const { method, retry, what } of [
  { method: 'work', retry: { attempts: 1 }, what: 'costs what it had, and is known within 3 s' },
  { method: 'look', retry: { perTryTimeoutMs: 500 }, what: 'costs no idempotent call with retries' },
] as const) {
  test(`F28: a server that hangs ${what}`, LIMIT, async (t) => {
    await using nodes = nodesIn('none');
    const [victim, ...others] = (await start(nodes, 3)) as [string, ...string[]];
    await using calls = calling({ resolver: fixed([victim, ...others]), method, retry, timeoutMs: 4_000 });
    await calls.untilPicked([victim, ...others], 300);
    nodes.signal(victim, 'SIGSTOP');
    const hung = performance.now();
    await sleep(6_000);
    const lastMs = Math.max(0, ...at(calls, victim, hung).map(({ sentAt }) => sentAt - hung));
    nodes.signal(victim, 'SIGCONT');
    const back = performance.now();
    const againMs = await usedAgain(calls, victim, back);
    await calls.untilPicked([victim], 100);
    await calls.stop();
    t.diagnostic(
      `${calls.sent()} calls, ${JSON.stringify(calls.failed())} failed, ${at(calls, victim, hung).length} were sent to it; last wrong pick after ${ms(lastMs)}; used again ${ms(againMs)} after it ran on`,
    );
    assert.ok(lastMs <= 3_000, ms(lastMs));
    assert.ok(againMs <= 5_000, ms(againMs));
    if (method === 'look') assert.deepEqual(calls.failed(), {});
    const failed = calls.seen.filter(({ error }) => error);
    assert.ok(failed.length <= at(calls, victim, hung - 100).length, `${failed.length} failed`);
    for (const { error } of failed) assert.equal(error!.maybeExecuted, true, error!.message);
  });
}

test(
  'F35: a node that becomes ten times slower gets few calls, and callers hardly notice',
  LIMIT,
  async (t) => {
    await using nodes = nodesIn('none');
    const [slow, ...others] = (await start(nodes, 10)) as [string, ...string[]];
    await using calls = calling({ resolver: fixed([slow, ...others]) });
    await calls.untilPicked([slow, ...others], 100);
    const healthySince = performance.now();
    await sleep(5_000);
    await nodes.tell(slow, { workMs: 200 });
    await sleep(2_000);
    const settled = performance.now();
    await sleep(10_000);
    await calls.stop();
    const timesOf = (from: number, to = Number.POSITIVE_INFINITY) =>
      calls.seen.filter((one) => one.at >= from && one.at < to).map((one) => one.ms);
    const share = at(calls, slow, settled).length / timesOf(settled).length;
    // Of each second, and of those the median: a busy machine has bad seconds.
    const p99Of = (from: number, seconds: number) => {
      const each = Array.from({ length: seconds }, (_, i) =>
        quantile(timesOf(from + i * 1_000, from + (i + 1) * 1_000), 0.99),
      );
      return quantile(each, 0.5);
    };
    const [healthyP99, p99] = [p99Of(healthySince, 5), p99Of(settled, 10)];
    t.diagnostic(
      `${calls.sent()} calls, ${JSON.stringify(calls.failed())} failed; the slow one got ${(share * 100).toFixed(2)} %; p99 ${healthyP99.toFixed(1)} ms became ${p99.toFixed(1)} ms`,
    );
    assert.deepEqual(calls.failed(), {});
    assert.ok(share <= 0.05, `${share}`);
    assert.ok(p99 <= 2 * healthyP99, `${healthyP99} ms became ${p99} ms`);
  },
);

test('F36: a node that fails at once does not draw the calls to itself', LIMIT, async (t) => {
  await using nodes = nodesIn('none');
  const [failing, ...others] = (await start(nodes, 5)) as [string, ...string[]];
  await using calls = calling({ resolver: fixed([failing, ...others]) });
  await calls.untilPicked([failing, ...others], 100);
  const since = performance.now();
  await nodes.tell(failing, { workMs: 0, fails: true });
  await sleep(12_000);
  await calls.stop();
  const [failed, all] = [calls.failed(), calls.seen.filter((one) => one.at >= since).length];
  t.diagnostic(
    `${all} calls, ${JSON.stringify(failed)} failed, ${at(calls, failing, since).length} went to it`,
  );
  assert.deepEqual(Object.keys(failed), ['UNAVAILABLE']);
  assert.ok(failed.UNAVAILABLE! <= 0.01 * all, JSON.stringify(failed));
  assert.ok(failed.UNAVAILABLE! >= 5, 'it was noticed by its failures');
});

test(
  'F37: of nodes that fail at most half are left out, and when all are gone calls fail at once',
  LIMIT,
  async (t) => {
    await using nodes = nodesIn('none');
    const all = await start(nodes, 4);
    const [first, second, third] = all as [string, string, string, string];
    await using calls = calling({ resolver: fixed(all) });
    await calls.untilPicked(all, 100);
    for (const address of [first, second, third]) await nodes.tell(address, { workMs: 0, fails: true });
    await sleep(2_000);
    const out = calls.client
      .explain('faults.Faults')
      .nodes.filter(({ eligible, node }) => !eligible && all.includes(node.address));
    assert.equal(out.length, 2, JSON.stringify(out));

    await Promise.all(all.map((address) => nodes.kill(address)));
    await sleep(1_000);
    const gone = performance.now();
    await sleep(2_000);
    const during = calls.seen.filter((one) => one.at >= gone);
    const p50 = quantile(
      during.map((one) => one.ms),
      0.5,
    );
    const p99 = quantile(
      during.map((one) => one.ms),
      0.99,
    );
    for (const { error } of during) assert.match(String(error), /UNAVAILABLE.*ECONNREFUSED/s);

    await Promise.all(all.map((address) => nodes.start({ address })));
    const back = performance.now();
    await until(() => calls.seen.some((one) => one.at >= back && !one.error), 'a call succeeds');
    const recovered = calls.seen.find((one) => one.at >= back && !one.error)!.at - back;
    await calls.untilPicked(all, 100);
    const settled = performance.now();
    await sleep(500);
    await calls.stop();
    t.diagnostic(
      `with all gone ${during.length} calls failed, p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms; the first success ${ms(recovered)} after they listened`,
    );
    assert.ok(p50 < 10, `${p50} ms`);
    assert.ok(recovered <= 1_000, ms(recovered));
    assert.deepEqual(calls.failed(settled), {});
  },
);

test(
  'F38: the only node is never left out for its failures, and is used within a second when it is back',
  LIMIT,
  async (t) => {
    await using nodes = nodesIn('none');
    const [only] = (await start(nodes, 1)) as [string];
    await using calls = calling({ resolver: fixed([only]), perSecond: 100 });
    await calls.untilPicked([only], 50);
    await nodes.tell(only, { workMs: 0, fails: true });
    const failing = performance.now();
    await sleep(2_000);
    const sent = calls.seen.filter((one) => one.at >= failing).length;
    const reached = at(calls, only, failing).length;
    assert.ok(reached >= sent, `${sent} calls, ${reached} reached it`);
    await nodes.tell(only, {});
    const healed = performance.now();
    await sleep(500);
    assert.deepEqual(calls.failed(healed + 5), {});

    await nodes.kill(only);
    await sleep(2_000);
    await nodes.start({ address: only });
    const back = performance.now();
    const againMs = await usedAgain(calls, only, back);
    await calls.stop();
    t.diagnostic(`used again ${ms(againMs)} after it listened`);
    assert.ok(againMs <= 1_000, ms(againMs));
  },
);

test(
  'F39: a node that heals gets one call on trial, and more and more when that succeeds',
  LIMIT,
  async (t) => {
    await using nodes = nodesIn('none');
    const [sick, ...others] = (await start(nodes, 3)) as [string, ...string[]];
    const resolver = fixed([sick, ...others]);
    await using calls = calling({ resolver, ejection: { baseMs: 1_000 } });
    await calls.untilPicked([sick, ...others], 100);
    await nodes.tell(sick, { workMs: 0, fails: true });
    await until(
      () => calls.client.explain('faults.Faults').nodes.some(({ eligible }) => !eligible),
      'it is out',
    );
    const out = performance.now();
    await sleep(3_800);
    const trials = at(calls, sick, out + 20);
    for (const [i, { sentAt }] of trials.entries()) {
      const since = sentAt - (trials[i - 1]?.sentAt ?? out);
      assert.ok(since >= 0.79 * (i + 1) * 1_000, `trial ${i + 1} came ${ms(since)} after the one before`);
    }
    assert.ok(trials.length >= 1 && trials.length <= 3, `${trials.length} trials`);
    await nodes.tell(sick, { workMs: 20 });
    const healed = performance.now();
    const againMs = await usedAgain(calls, sick, healed);
    const first = at(calls, sick, healed)[0]!;
    const duringTrial = at(calls, sick, first.sentAt + 0.01).filter(
      ({ sentAt }) => sentAt < first.sentAt + 20,
    );
    await sleep(1_000);
    const begun = at(calls, sick, healed).length;
    await sleep(4_000);
    const later = performance.now();
    await sleep(1_000);
    const whole = at(calls, sick, later).length;
    await calls.stop();
    t.diagnostic(
      `${trials.length} trials failed in 3.8 s; the next came ${ms(againMs)} after it healed; ${begun} calls in its first second, ${whole} in its seventh of ${CALLS_PER_SECOND}`,
    );
    assert.equal(duringTrial.length, 0, 'a call was sent while the trial was under way');
    assert.ok(begun < whole / 2, `${begun} and ${whole}`);
  },
);
