import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../plugin/consul/changes.js';
import type { HeldKeys } from '../../plugin/consul/held-keys.js';
import { createKeeper } from '../../plugin/consul/keeper.js';
import type { SendingOptions } from '../../plugin/consul/kv.js';
import { limited } from '../../plugin/consul/retry-after.js';
import type { Sessions } from '../../plugin/consul/session.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { recordingLogger } from './log.js';

const TTL_MS = 9_000;
const INTERVAL_MS = 3_000;

type Asked = { readonly what: string; readonly at: number; readonly sending: SendingOptions };

/** Consul as a script, and a clock that stands still but for the keeper's own sleeping. */
function scripted(limitMs: number, random = () => 0.5) {
  const asked: Asked[] = [];
  const script: { -readonly [K in keyof Sessions]?: () => unknown } & { hold?: () => void } = {};
  const logger = recordingLogger();
  const stop = new AbortController();
  let now = 1_000_000;
  let serial = 0;
  const clock: Clock & { pass(ms: number): void } = {
    now: () => now,
    sleep: async (ms) => {
      now += Math.max(0, ms);
      if (now > 1_000_000 + limitMs) stop.abort();
    },
    pass: (ms) => {
      now += ms;
    },
  };
  const answer = async (
    what: string,
    sending: SendingOptions | undefined,
    otherwise: unknown,
    instead?: () => unknown,
  ) => {
    asked.push({ what, at: Math.round(now - 1_000_000), sending: sending ?? {} });
    return (instead ? instead() : otherwise) as never;
  };
  const sessions: Sessions = {
    create: (_, sending) => answer('create', sending, `session-${++serial}`, script.create),
    renew: (id, sending) => answer(`renew ${id}`, sending, true, script.renew),
    info: (id, sending) => answer(`info ${id}`, sending, { id, name: '', node: '' }, script.info),
    destroy: (id, sending) => answer(`destroy ${id}`, sending, undefined, script.destroy),
  };
  const keys: HeldKeys = {
    hold: (session, sending) => answer(`hold ${session}`, sending, undefined, script.hold),
    forget: (session) => void asked.push({ what: `forget ${session}`, at: now - 1_000_000, sending: {} }),
    current: () => [],
  };
  const keeper = createKeeper({
    sessions,
    keys,
    address: '127.0.0.1:8000',
    ttlMs: TTL_MS,
    nodeChecks: [],
    timeoutMs: 10_000,
    logger,
    clock,
    random,
  });
  const whats = () => asked.map(({ what }) => what);
  return { asked, whats, script, logger, clock, keeper, run: () => keeper.run(stop.signal), stop };
}

const unavailable = () => {
  throw new RpcError(Status.UNAVAILABLE, 'status 500, "rpc error"', { maybeExecuted: false });
};

test('R2: a session is renewed every third of its TTL, on the connection of the renewals', async () => {
  const { asked, run } = scripted(10_000);
  await run();
  assert.deepEqual(
    asked.map(({ what, at }) => `${at} ${what}`),
    [
      '0 create',
      '0 hold session-1',
      ...[3_000, 6_000, 9_000].flatMap((at) => [`${at} renew session-1`, `${at} hold session-1`]),
    ],
  );
  for (const { sending } of asked) assert.equal(sending.lane, 'renewals');
});

test('R2: a renewal is waited for less long than until the next one', async () => {
  const { asked, run } = scripted(10_000);
  await run();
  const renewals = asked.filter(({ what }) => what.startsWith('renew'));
  assert.equal(renewals.length, 3);
  for (const { sending } of renewals) assert.ok(sending.timeoutMs! < INTERVAL_MS, String(sending.timeoutMs));
});

test('R2: servers that started together drift apart, by a tenth', async () => {
  for (const [random, at] of [
    [0, 2_700],
    [1, 3_300],
  ] as const) {
    const { asked, run } = scripted(3_500, () => random);
    await run();
    assert.equal(asked.find(({ what }) => what.startsWith('renew'))?.at, at);
  }
});

test('R4, F2: ten minutes of errors are ten minutes of tries, a second apart at most, with one warning', async () => {
  const { asked, script, run, logger } = scripted(600_000, () => 1);
  let renewals = 0;
  script.renew = () => (renewals++ < 3 ? true : unavailable());
  await run();
  const times = asked.filter(({ what }) => what.startsWith('renew')).map(({ at }) => at);
  assert.ok(times.length > 550 && times.length < 650, String(times.length));
  assert.ok(times.slice(4).every((at, i) => at - times[i + 3]! <= 1_001));
  assert.ok(!asked.some(({ what }) => what === 'destroy session-1'));
  assert.equal(asked.filter(({ what }) => what === 'create').length, 1);
  assert.equal(logger.lines.length, 1);
});

test('F1: time-outs and errors of one outage are one warning; the next outage is another', async () => {
  const { script, run, logger } = scripted(60_000);
  let count = 0;
  script.renew = () => {
    count++;
    if (count === 10 || count === 11 || count > 14) return true;
    if (count % 2 === 0) unavailable();
    throw new RpcError(Status.DEADLINE_EXCEEDED, 'no answer', { maybeExecuted: false });
  };
  await run();
  assert.equal(logger.lines.length, 2);
});

test('F24: the pauses are short again after a success', async () => {
  const { asked, script, run } = scripted(60_000, () => 1);
  let count = 0;
  script.renew = () => (++count % 10 === 0 ? true : unavailable());
  await run();
  const times = asked.filter(({ what }) => what.startsWith('renew')).map(({ at }) => at);
  const firstPauses = [1, 11, 21].map((i) => times[i]! - times[i - 1]!);
  assert.deepEqual(firstPauses, [100, 100, 100]);
});

test('R4, F18: a session that is gone is made again at once, after one more read', async () => {
  const { whats, script, run, logger } = scripted(5_000);
  script.renew = () => false;
  script.info = () => undefined;
  await run();
  assert.deepEqual(whats(), [
    'create',
    'hold session-1',
    'renew session-1',
    'info session-1',
    'forget session-1',
    'create',
    'hold session-2',
  ]);
  assert.match(logger.lines[0]!.message, /made again/);
});

test('F18: a 404 for a session that is still there makes nothing again', async () => {
  const { whats, script, run, logger } = scripted(5_000);
  let count = 0;
  script.renew = () => count++ > 0;
  await run();
  assert.deepEqual(whats().slice(2), [
    'renew session-1',
    'info session-1',
    'renew session-1',
    'hold session-1',
  ]);
  assert.deepEqual(logger.lines, []);
});

test('F18: a session that is there but cannot be renewed is destroyed, so that it does not block its keys', async () => {
  const { whats, script, run } = scripted(5_000);
  script.renew = () => false;
  await run();
  assert.deepEqual(whats().slice(2), [
    'renew session-1',
    'info session-1',
    'renew session-1',
    'destroy session-1',
    'forget session-1',
    'create',
    'hold session-2',
  ]);
});

test('R4: keys that could not be taken again are tried for until they are, and told of once', async () => {
  const { whats, script, run, logger } = scripted(5_000);
  let held = 0;
  script.renew = () => held > 1;
  script.info = () => undefined;
  script.hold = () => {
    held++;
    if (held > 1 && held < 5) unavailable();
  };
  await run();
  const after = whats().slice(whats().indexOf('hold session-2'));
  assert.deepEqual(after.slice(0, 4), [
    'hold session-2',
    'renew session-2',
    'hold session-2',
    'renew session-2',
  ]);
  assert.deepEqual(
    logger.lines.map(({ message }) => message.split(':')[0]),
    ['could not keep up the entries in Consul', 'Consul had lost the session of this server'],
  );
});

test('F16: a refusal is tried again slowly, and told of once', async () => {
  const { asked, script, run, logger } = scripted(60_000, () => 1);
  script.renew = () => {
    throw new RpcError(Status.PERMISSION_DENIED, 'ACL not found', { maybeExecuted: false });
  };
  await run();
  const times = asked.filter(({ what }) => what.startsWith('renew')).map(({ at }) => at);
  assert.equal(times.at(-1)! - times.at(-2)!, INTERVAL_MS);
  assert.equal(logger.lines.length, 1);
});

test('an outage before a refusal does not make the pause after it longer', async () => {
  const { asked, script, run } = scripted(60_000, () => 1);
  let count = 0;
  script.renew = () => {
    if (++count <= 12) unavailable();
    if (count === 13) throw new RpcError(Status.PERMISSION_DENIED, 'ACL not found', { maybeExecuted: false });
    return true;
  };
  await run();
  const times = asked.filter(({ what }) => what.startsWith('renew')).map(({ at }) => at);
  assert.equal(times[13]! - times[12]!, 1_000);
});

test('a wait that Consul asks for is kept, but no longer than the session can do without', async () => {
  for (const [retryAfter, pauseMs] of [
    ['2', 2_000],
    ['9', INTERVAL_MS],
  ] as const) {
    const { asked, script, run } = scripted(20_000, () => 0);
    let count = 0;
    script.renew = () => {
      if (++count > 1) return true;
      throw limited(new RpcError(Status.UNAVAILABLE, '429', { maybeExecuted: false }), retryAfter);
    };
    await run();
    const times = asked.filter(({ what }) => what.startsWith('renew')).map(({ at }) => at);
    assert.equal(times[1]! - times[0]!, pauseMs);
  }
});

test('F22: after a gap in time a renewal is due at once', async () => {
  const { asked, script, run, clock } = scripted(40_000);
  let holds = 0;
  script.hold = () => {
    if (++holds === 2) clock.pass(30_000); // Frozen, in the midst of it.
  };
  await run();
  const times = asked.filter(({ what }) => what.startsWith('renew')).map(({ at }) => at);
  assert.deepEqual(times.slice(0, 2), [3_000, 33_000]);
});

test('F23: a host whose clock jumps by an hour renews as before', async (context) => {
  const { asked, script, run } = scripted(10_000);
  let jump = 1;
  script.renew = () => {
    jump = -jump;
    return true;
  };
  const start = Date.now();
  context.mock.method(Date, 'now', () => start + jump * 3_600_000);
  await run();
  const times = asked.filter(({ what }) => what.startsWith('renew')).map(({ at }) => at);
  assert.deepEqual(times, [3_000, 6_000, 9_000]);
});

test('what is under way when it is stopped ends without a word', async () => {
  const { script, run, logger, stop } = scripted(60_000);
  script.renew = () => {
    stop.abort();
    unavailable();
  };
  await run();
  assert.deepEqual(logger.lines, []);
});
