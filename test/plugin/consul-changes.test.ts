import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import {
  type Answer,
  type ChangeEvent,
  type Clock,
  changes,
  systemClock,
} from '../../plugin/consul/changes.js';
import { limited } from '../../plugin/consul/retry-after.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';

/** Time that passes only while somebody sleeps. */
function virtualClock(): Clock & { readonly slept: number[] } {
  let now = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => now,
    async sleep(ms) {
      if (ms > 0) slept.push(ms);
      now += Math.max(0, ms);
    },
  };
}

type Step = Answer<string> | Error;
const unreachable = (text = 'down') => new RpcError(Status.UNAVAILABLE, text);
const denied = () => new RpcError(Status.PERMISSION_DENIED, 'denied');
const late = () => new RpcError(Status.DEADLINE_EXCEEDED, 'late');
const at = (index: bigint | undefined, value: string): Answer<string> => ({ index, value });

/** Runs a watch over a script, to its end. */
async function run(steps: readonly Step[], random = () => 1) {
  const controller = new AbortController();
  const clock = virtualClock();
  const asked: (bigint | undefined)[] = [];
  const query = async (since: bigint | undefined) => {
    asked.push(since);
    const step = steps[asked.length - 1];
    if (!step) {
      controller.abort();
      throw new Error('cut by the abort');
    }
    if (step instanceof Error) throw step;
    return step;
  };
  const events: string[] = [];
  const told = (event: ChangeEvent<string>) =>
    event.kind === 'value' ? event.value : `failure: ${event.error.details}`;
  for await (const event of changes(query, { signal: controller.signal, same: Object.is, clock, random }))
    events.push(told(event));
  return { asked, events, slept: clock.slept };
}

test('W1, W2: the first query has no index, the next ones wait from the last answer', async () => {
  const { asked, events } = await run([at(5n, 'a'), at(7n, 'b'), at(18446744073709551615n, 'c')]);
  assert.deepEqual(asked, [undefined, 5n, 7n, 18446744073709551615n]);
  assert.deepEqual(events, ['a', 'b', 'c']);
});

test('W6, W14: the same value is not delivered again, whatever its index', async () => {
  const { events } = await run([at(5n, 'a'), at(5n, 'a'), at(6n, 'a'), at(7n, 'b'), at(7n, 'b')]);
  assert.deepEqual(events, ['a', 'b']);
});

test('W3, F12: a lower index makes the next query start afresh, with one delivery', async () => {
  const { asked, events } = await run([at(100n, 'a'), at(50n, 'b'), at(50n, 'b'), at(51n, 'b')]);
  assert.deepEqual(asked, [undefined, 100n, undefined, 50n, 51n]);
  assert.deepEqual(events, ['a', 'b']);
});

test('W5: after any error the index is forgotten, and the value that ends an outage is told', async () => {
  const { asked, events } = await run([
    at(9n, 'a'),
    unreachable(),
    at(9n, 'a'),
    at(9n, 'a'),
    unreachable(),
    at(3n, 'b'),
  ]);
  assert.deepEqual(asked, [undefined, 9n, undefined, 9n, 9n, undefined, 3n]);
  assert.deepEqual(events, ['a', 'failure: down', 'a', 'failure: down', 'b']);
});

test('F1: an outage is told once, also when its text changes, and another one again after a value', async () => {
  const steps = [
    unreachable('reset'),
    unreachable('refused'),
    at(1n, 'a'),
    unreachable(),
    denied(),
    at(2n, 'b'),
    unreachable(),
  ];
  const { events } = await run(steps);
  assert.deepEqual(events, ['failure: reset', 'a', 'failure: down', 'failure: denied', 'b', 'failure: down']);
});

test('W9, F2: the pause after a failure doubles from 100 ms to 1 s, an agent that is back is noticed at once', async () => {
  const failing = Array.from({ length: 8 }, () => unreachable());
  assert.deepEqual((await run(failing)).slept, [100, 200, 400, 800, 1000, 1000, 1000, 1000]);
  assert.deepEqual(
    (await run(failing, () => 0)).slept,
    [50, 100, 200, 400, 500, 500, 500, 500],
    'at most half is left to chance',
  );
});

test('W9, F24: the pause starts over after a wait that was answered', async () => {
  const { slept } = await run([unreachable(), unreachable(), at(1n, 'a'), at(2n, 'b'), unreachable()]);
  assert.deepEqual(slept, [100, 200, 50, 50, 100]);
});

test('W9, F16: a missing permission is asked for every 5 s at most and reported once', async () => {
  const { events, slept } = await run([denied(), denied(), denied(), denied(), denied(), denied()]);
  assert.deepEqual(events, ['failure: denied']);
  assert.deepEqual(slept, [1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
});

test('the pause after a refusal does not depend on an outage before it, nor the other way round', async () => {
  const outage = Array.from({ length: 8 }, () => unreachable());
  const { slept } = await run([...outage, denied(), at(undefined, 'a'), unreachable(), denied()]);
  assert.deepEqual(slept.slice(8), [1_000, 2_000, 1_000, 2_000]);
  assert.deepEqual((await run([denied(), denied(), unreachable()])).slept, [1_000, 2_000, 100]);
});

test('a wait that Consul asks for is kept, up to 10 s, and does not count as an outage', async () => {
  const refusal = (retryAfter?: string) => limited(unreachable('429'), retryAfter, 0);
  const { slept } = await run(
    [refusal('3'), unreachable(), refusal('3600'), refusal(), refusal('soon')],
    () => 0,
  );
  assert.deepEqual(slept, [3_000, 50, 10_000, 2_000, 2_500]);
  const { slept: huge } = await run([refusal('99999999999')], () => 0);
  assert.deepEqual(huge, [10_000]);
  const { slept: dated } = await run([refusal('Thu, 01 Jan 1970 00:00:07 GMT')], () => 0);
  assert.deepEqual(dated, [7_000]);
});

test('W4, F12: an answer without a usable index is a failure and never asked for more than once a second', async () => {
  const { asked, events, slept } = await run([at(undefined, 'a'), at(undefined, 'a'), at(4n, 'a')], () => 0);
  assert.deepEqual(asked, [undefined, undefined, undefined, 4n]);
  assert.deepEqual(events, ['failure: the registry answered without an index that can be used', 'a']);
  assert.ok(Math.min(...slept.slice(0, 2)) >= 1_000);
});

test('W1, F14: a wait that is never answered is tried again in silence, a first read that is not is a failure', async () => {
  const { asked, events } = await run([at(4n, 'a'), late(), at(5n, 'b'), late(), late()]);
  assert.deepEqual(asked, [undefined, 4n, undefined, 5n, undefined, undefined]);
  assert.deepEqual(events, ['a', 'b', 'failure: late']);
});

test('what is not an RpcError becomes one', async () => {
  const { events } = await run([new TypeError('boom')]);
  assert.deepEqual(events, ['failure: boom']);
});

for (const [title, answer] of [
  ['with the same answer', () => at(1n, 'a')],
  ['with changes', (n: number) => at(BigInt(n), `${n}`)],
  ['with an index that goes up and down', (n: number) => at(n % 2 ? 9n : 3n, 'a')],
] as const) {
  test(`W8, F13: a source that never waits is asked at most 20 times a second, ${title}`, async () => {
    const controller = new AbortController();
    const clock = virtualClock();
    let asked = 0;
    const query = async () => {
      if (clock.now() >= 60_000) controller.abort();
      return answer(++asked);
    };
    for await (const _ of changes(query, { signal: controller.signal, same: Object.is, clock }));
    assert.ok(asked <= 60 * 20 + 1, `${asked} requests in a minute`);
  });
}

test('a slow reader gets the state of the moment', async () => {
  const controller = new AbortController();
  let state = 1n;
  const events = changes(async () => at(state, `${state}`), {
    signal: controller.signal,
    same: Object.is,
    clock: virtualClock(),
  });
  assert.deepEqual((await events.next()).value, { kind: 'value', value: '1' });
  state = 5n;
  assert.deepEqual((await events.next()).value, { kind: 'value', value: '5' });
  controller.abort();
  assert.equal((await events.next()).done, true);
});

test('W5: an index that has lain for long, behind a slow reader, is not waited from', async () => {
  const controller = new AbortController();
  const clock = virtualClock();
  const asked: (bigint | undefined)[] = [];
  const query = async (since: bigint | undefined) => {
    asked.push(since);
    return at(BigInt(asked.length), `${asked.length}`);
  };
  const events = changes(query, { signal: controller.signal, same: Object.is, clock });
  await events.next();
  await events.next();
  await clock.sleep(2_000, controller.signal);
  await events.next();
  await events.next();
  assert.deepEqual(asked, [undefined, 1n, undefined, 3n]);
});

test('W10: an abort ends the pause after a failure, and nothing comes after it', {
  timeout: 10_000,
}, async () => {
  const controller = new AbortController();
  let asked = 0;
  const query = async () => {
    asked++;
    throw denied();
  };
  const events = changes(query, { signal: controller.signal, same: Object.is });
  assert.equal((await events.next()).value?.kind, 'failure');
  const next = events.next(); // In a pause of seconds.
  controller.abort();
  assert.deepEqual(await next, { value: undefined, done: true });
  assert.equal(asked, 1);
});

test('W10: an answer that comes after the abort is not delivered', async () => {
  const controller = new AbortController();
  const query = async () => {
    controller.abort();
    return at(1n, 'a');
  };
  const events = changes(query, { signal: controller.signal, same: Object.is });
  assert.deepEqual(await events.next(), { value: undefined, done: true });
});

test('W10: an abort before the start asks nothing', async () => {
  const events = changes(() => assert.fail('no query'), { signal: AbortSignal.abort(), same: Object.is });
  assert.equal((await events.next()).done, true);
});

test('a sleep leaves no listener behind, however it ends', { timeout: 10_000 }, async () => {
  const controller = new AbortController();
  const { signal } = controller;
  await systemClock.sleep(1, signal);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  const sleeping = systemClock.sleep(60_000, signal);
  controller.abort();
  await sleeping;
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});
