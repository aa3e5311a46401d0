import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type RpcError, Status } from 'lictor';
import { type OverloadOptions, overloadSettings } from '../../../server/overload/options.js';
import { Overload } from '../../../server/overload/overload.js';
import type { Priority } from '../../../server/overload/priority.js';
import { QueuedCall } from '../../../server/overload/queued-call.js';
import { UsualTime } from '../../../server/overload/usual-time.js';
import { turns } from '../../deferred.js';

/** An overload with a clock and an event loop of its own; its calls take `costMs` of both. */
function scripted({ costMs = 1, ...options }: OverloadOptions & { costMs?: number } = {}) {
  let now = 1_000;
  let due: (() => void) | undefined;
  const overload = new Overload(overloadSettings(options), {
    maxConcurrentCalls: 10_000,
    now: () => now,
    nextTurn(turn) {
      assert.equal(due, undefined, 'one turn at a time');
      due = turn;
    },
  });
  const ran: string[] = [];
  const refused = new Map<string, RpcError>();
  const sync = (name: string) => {
    ran.push(name);
    const window = overload.began();
    now += costMs;
    overload.ended(window);
  };
  return {
    ...{ overload, ran, refused },
    get now() {
      return now;
    },
    cost(ms: number) {
      costMs = ms;
    },
    pass(ms: number) {
      now += ms;
    },
    turn() {
      const turn = due;
      due = undefined;
      turn?.();
      return turn !== undefined;
    },
    /** A call that takes the event loop for as long as it runs. */
    call(
      name: string,
      { priority = 1 as Priority, bytes = 0, deadline = undefined as number | undefined } = {},
    ) {
      if (overload.runsAtOnce()) {
        sync(name);
        overload.took(costMs, false);
        return undefined;
      }
      const reason = overload.refuse(priority, bytes, deadline, now);
      if (reason) {
        refused.set(name, reason);
        return undefined;
      }
      const run = () => {
        sync(name);
        return false;
      };
      return this.waits(name, run, { priority, bytes, deadline });
    },
    waits(
      name: string,
      run: () => boolean,
      how: { priority?: Priority; bytes?: number; deadline?: number | undefined } = {},
    ) {
      const { priority = 1, bytes = 0, deadline } = how;
      const incoming = { deadline, running: undefined, fail: (error: RpcError) => refused.set(name, error) };
      const left = (call: QueuedCall) => call.isGone && overload.gone(call);
      const queued = new QueuedCall({ incoming: incoming as never, priority, bytes, since: now, run, left });
      overload.wait(queued);
      return queued;
    },
  };
}

const names = (count: number, prefix = '') => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

test('calls have two milliseconds of a turn; the next one waits for the next turn', () => {
  const it = scripted();
  for (const name of names(5)) it.call(name);
  assert.deepEqual(it.ran, []);
  assert.equal(it.overload.state.queued, 5);
  it.turn();
  assert.deepEqual(it.ran, ['0', '1']);
  it.turn();
  assert.deepEqual(it.ran, ['0', '1', '2', '3']);
  it.turn();
  assert.deepEqual(it.ran, names(5));
  assert.equal(it.overload.state.queued, 0);
  assert.equal(it.turn(), false);
});

test('calls that take no time to speak of run at once, but for one of many, by which that is known', () => {
  const it = scripted({ costMs: 0.001 });
  for (const name of names(300, 'first ')) it.call(name);
  while (it.turn());
  let waited = 0;
  for (const name of names(1_000)) {
    it.call(name);
    if (it.ran.at(-1) === name) continue;
    waited++;
    it.turn();
    assert.equal(it.ran.at(-1), name);
  }
  assert.ok(waited >= 7 && waited <= 8, `${waited}`);
});

test('what a handler does after an await that is over at once is a part of its turn', async () => {
  const it = scripted();
  const steps: string[] = [];
  for (const name of names(3)) {
    it.waits(name, () => {
      const window = it.overload.began();
      void (async () => {
        for (let i = 0; i < 5; i++) await undefined;
        steps.push(name);
        it.pass(1.5);
        it.overload.ended(window);
      })();
      return true;
    });
  }
  it.turn();
  await turns(1);
  assert.deepEqual(steps, ['0', '1']);
  it.turn();
  await turns(1);
  assert.deepEqual(steps, names(3));
});

test('a burst may pile up as much work as `burstMs`; what would wait for longer is refused at once, as not executed', () => {
  const it = scripted({ burstMs: 100 });
  for (const name of names(300)) it.call(name);
  while (it.turn()); // Now it knows what a call costs.
  assert.equal(it.refused.size, 0);
  const before = it.ran.length;
  for (const name of names(500, 'burst ')) it.call(name);
  const queued = it.overload.state.queued;
  assert.ok(queued > 90 && queued < 120, `${queued}`);
  const error = it.refused.get('burst 499')!;
  assert.equal(error.code, Status.RESOURCE_EXHAUSTED);
  assert.equal(error.maybeExecuted, false);
  assert.equal(error.metadata?.get('lictor-not-executed'), '1');
  assert.match(error.details, /too much to do: its turn would come in \d+ ms, 100 are the limit/);
  while (it.turn());
  assert.equal(it.ran.length - before + it.refused.size, 500);
  assert.equal(it.overload.state.refused, it.refused.size);
});

test('the first calls, which take long, and a pause do not make a burst of quick ones look long', () => {
  const it = scripted({ costMs: 5 });
  for (const name of names(10)) it.call(name);
  while (it.turn());
  it.cost(0.01);
  for (const name of names(1_000, 'burst ')) it.call(name);
  while (it.turn());
  it.pass(10_000);
  for (const name of names(3, 'before a pause ')) it.call(name);
  it.cost(100);
  it.turn();
  it.cost(0.01);
  for (const name of names(1_000, 'after it ')) it.call(name);
  while (it.turn());
  assert.equal(it.refused.size, 0);
});

test('a queue that has stood for as long is kept short', () => {
  const it = scripted({ burstMs: 100, standingMs: 10 });
  let n = 0;
  // Three calls come for each that runs.
  for (let i = 0; i < 400; i++) {
    for (let each = 0; each < 6; each++) it.call(`${n++}`);
    it.turn();
  }
  const { queued } = it.overload.state;
  assert.ok(queued >= 8 && queued <= 16, `${queued}`);
  const share = it.ran.length / (it.now - 1_000);
  assert.ok(share > 0.99, 'and the handlers are never without work');
});

test('a call is refused whose deadline would not leave it as much time as it waits', () => {
  const it = scripted();
  for (const name of names(300)) it.call(name);
  while (it.turn());
  for (const name of names(32, 'queued ')) it.call(name);
  it.call('late', { deadline: it.now + 40 });
  it.call('in time', { deadline: it.now + 200 });
  assert.deepEqual([...it.refused.keys()], ['late']);
  assert.match(it.refused.get('late')!.details, /too late for its deadline in 40 ms/);
  while (it.turn());
  for (const name of names(3, 'few ')) it.call(name);
  it.call('with hardly any time', { deadline: it.now + 1 });
  assert.ok(!it.refused.has('with hardly any time'), 'is told of its deadline when that has passed');
});

test('the important do not wait for others, and the unimportant have half of the room', () => {
  const it = scripted({ maxQueued: 10 });
  for (const name of names(6, 'low ')) it.call(name, { priority: 2 });
  assert.deepEqual([...it.refused.keys()], ['low 5']);
  for (const name of names(5, 'normal ')) it.call(name);
  assert.deepEqual([...it.refused.keys()], ['low 5', 'normal 4']);
  it.call('high', { priority: 0 });
  it.turn();
  assert.deepEqual(it.ran, ['high', 'normal 0']);
});

test('the bytes of what waits are bounded', () => {
  const it = scripted({ maxQueuedBytes: 1_000 });
  it.call('a', { bytes: 600 });
  it.call('b', { bytes: 600 });
  assert.equal(it.overload.state.queuedBytes, 600);
  assert.match(it.refused.get('b')!.details, /1 calls with 600 bytes wait for their turn/);
});

describe('a call that waits', () => {
  test('and is given up has no turn', () => {
    const it = scripted();
    it.call('first');
    const queued = it.call('gone')!;
    it.call('next');
    queued.cancel();
    assert.equal(it.overload.state.queued, 2);
    while (it.turn());
    assert.deepEqual(it.ran, ['first', 'next']);
  });

  test('and is given up twice gives back one place', () => {
    const it = scripted();
    const queued = it.call('gone', { bytes: 10 })!;
    it.call('next', { bytes: 5 });
    queued.cancel();
    queued.cancel();
    assert.deepEqual([it.overload.state.queued, it.overload.state.queuedBytes], [1, 5]);
    while (it.turn());
    assert.equal(it.overload.state.queued, 0);
  });

  test('and whose deadline passes is not begun', () => {
    const it = scripted();
    it.call('late', { deadline: it.now + 50 });
    it.pass(50);
    while (it.turn());
    assert.deepEqual(it.ran, []);
    const error = it.refused.get('late')!;
    assert.deepEqual([error.code, error.maybeExecuted], [Status.DEADLINE_EXCEEDED, false]);
  });

  test('and for which no other ends is refused when its time is over', () => {
    const it = scripted({ burstMs: 100, minConcurrentCalls: 1 });
    it.overload.began(); // A handler that hangs,
    it.overload.onWindow({ delayMs: 1_000, utilization: 1 }); // and a limit of what ran and a little more.
    for (let i = 0; i < 5; i++) it.overload.began();
    const usual = new UsualTime();
    usual.learn(1, true, 0);
    assert.equal(it.overload.runsAtOnce(), false);
    it.call('waits');
    it.overload.expire(it.now + 100);
    assert.equal(it.refused.size, 0);
    it.overload.expire(it.now + 101);
    assert.match(it.refused.get('waits')!.details, /had not come within 100 ms/);
  });
});

for (const [how, end] of [
  ['are given up', (_, waiting) => waiting.map((call) => call.cancel())],
  ['are refused', (it) => it.overload.expire(it.now + 251)],
] satisfies [string, (it: ReturnType<typeof scripted>, waiting: QueuedCall[]) => unknown][]) {
  test(`the time in which nothing waits is not taken for the time of a call when the last that waited ${how}`, () => {
    const it = scripted({ minConcurrentCalls: 1 });
    const waiting = names(6).flatMap((name) => it.call(name) ?? []);
    it.turn();
    const hung = [it.overload.began()]; // Handlers that hang, and a limit of what ran and a little more.
    it.overload.onWindow({ delayMs: 1_000, utilization: 1 });
    hung.push(it.overload.began());
    it.turn();
    assert.deepEqual(it.ran, names(2));
    end(it, waiting.slice(2));
    assert.equal(it.overload.state.queued, 0);
    const refused = it.refused.size;
    it.overload.onWindow({ delayMs: 0, utilization: 0 });
    for (const window of hung) it.overload.ended(window);
    it.pass(600_000);
    for (let i = 0; i < 3; i++) {
      for (const name of names(10, `${i} `)) it.call(name);
      it.turn();
    }
    assert.equal(it.refused.size, refused);
  });
}

test('calls that wait while the event loop is away have their turn, unless it is away for long', () => {
  const it = scripted({ burstMs: 100 });
  it.call('waits');
  it.pass(350);
  it.overload.expire(it.now);
  it.turn();
  assert.deepEqual(it.ran, ['waits']);
  for (let i = 0; i < 3; i++) it.waits(`waits long ${i}`, () => false);
  it.pass(401);
  it.overload.expire(it.now);
  assert.deepEqual([...it.refused.keys()], names(3, 'waits long '));
});

describe('the limit of calls at a time', () => {
  test('counts no calls that have run for more than a second, which wait for something', () => {
    const it = scripted({ minConcurrentCalls: 1 });
    const waiting = Array.from({ length: 500 }, () => it.overload.began());
    const late = () => it.overload.onWindow({ delayMs: 1_000, utilization: 1 });
    for (let window = 0; window < 9; window++) late();
    assert.ok(it.overload.state.limit < 10);
    assert.equal(it.overload.runsAtOnce(), false);
    it.call('waits');
    late();
    it.turn();
    assert.deepEqual(it.ran, ['waits']);
    for (const window of waiting) it.overload.ended(window);
    it.overload.began();
    late();
    assert.ok(it.overload.state.limit >= 1, 'and their ends are not counted either');
    it.call('next');
    it.turn();
    assert.deepEqual(it.ran, ['waits', 'next']);
  });

  /** Calls that wait for something, and take five times as long as they used to. */
  const slow = (it: ReturnType<typeof scripted>, utilization: number, usualMs = 10) => {
    const usual = new UsualTime();
    for (let i = 0; i < 20; i++) usual.learn(usualMs, true, it.now);
    for (let i = 0; i < 100; i++) it.overload.began();
    for (let i = 0; i < 100; i++) it.overload.sample(5 * usualMs, usual, it.now);
    it.overload.onWindow({ delayMs: 0, utilization });
    return it.overload.state.limit;
  };

  test('falls when they take longer than usual and the event loop is busy', () => {
    assert.equal(slow(scripted(), 0.9), 60);
    assert.equal(slow(scripted(), 0.5), 10_000);
  });

  test('does not fall for calls that usually take long, and so wait for something', () => {
    assert.equal(slow(scripted(), 1, 2_000), 10_000);
  });

  test("falls whatever the event loop does with `adapt: 'always'`, and never with 'never'", () => {
    assert.equal(slow(scripted({ adapt: 'always' }), 0.1), 60);
    assert.equal(slow(scripted({ adapt: 'never' }), 1), 10_000);
  });
});

test('settings that cannot be are refused by name, with what was given', () => {
  assert.throws(() => overloadSettings({ burstMs: -1 }), /overload\.burstMs: a number from 0, got -1/);
  assert.throws(
    () => overloadSettings({ adapt: 'sometimes' as never }),
    /overload\.adapt: one of busy, always, never, got "sometimes"/,
  );
  assert.throws(() => overloadSettings(true as never), /overload: settings, or false, got true/);
  for (const name of ['minConcurrentCalls', 'maxQueued', 'maxLoopDelayMs'] as const)
    assert.throws(() => overloadSettings({ [name]: 0 }), RangeError);
});
