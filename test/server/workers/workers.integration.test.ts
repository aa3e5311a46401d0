import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { local } from 'lictor/plugin/local';
import { isRunning } from '../../../plugin/local/process.js';
import { calling } from '../../faults/calling.js';
import { freePorts, goneOf, type Program, programs } from './programs.js';
import { type Who, Workers } from './service.js';

const LIMIT = { timeout: 120_000 };
const CALL_MS = 1_000;

const numbers = (found: readonly Who[]) => found.map(({ worker }) => worker).sort();
const are = (count: number) => (found: readonly Who[]) => found.length === count;

function addressesOf({ told }: Program): readonly string[] {
  assert.ok('addresses' in told, JSON.stringify(told));
  return told.addresses;
}

describe('a server with workers', () => {
  test(
    'has a process of its own for each, with an address of its own, and calls reach all',
    LIMIT,
    async () => {
      await using all = programs();
      const program = await all.start({ workers: 3 });
      assert.equal(new Set(addressesOf(program)).size, 3);
      assert.match(JSON.stringify(program.told), /"address":"[^"]*an address each: see `addresses`"/);
      const found = await all.whoAre(are(3));
      assert.deepEqual(numbers(found), [0, 1, 2]);
      for (const { first } of found) assert.equal(first, program.child.pid);
    },
  );

  test('has the ports from the one that was said', LIMIT, async () => {
    await using all = programs();
    const port = await freePorts(2);
    const program = await all.start({ workers: 2, address: `127.0.0.1:${port}` });
    assert.deepEqual(addressesOf(program), [`127.0.0.1:${port}`, `127.0.0.1:${port + 1}`]);
    const { worker } = await all.client.service(Workers).who({}, { target: `127.0.0.1:${port + 1}` });
    assert.equal(worker, 1);
  });

  test('does not serve when one of them cannot, and leaves none behind', LIMIT, async () => {
    await using all = programs();
    const port = await freePorts(3);
    const taken = createServer().listen(port + 1, '127.0.0.1');
    await once(taken, 'listening');
    try {
      const program = await all.start({ workers: 3, address: `127.0.0.1:${port}` });
      assert.match(JSON.stringify(program.told), new RegExp(`worker 1 could not serve: .*${port + 1}`));
      assert.equal(await program.exited, 1);
      assert.deepEqual(
        program.pids().filter((pid) => isRunning({ pid })),
        [],
      );
    } finally {
      taken.close();
    }
  });

  test('replaces one that was killed', LIMIT, async () => {
    await using all = programs();
    const program = await all.start({ workers: 2 });
    const before = await all.whoAre(are(2));
    const victim = before[0]!;
    process.kill(victim.pid, 'SIGKILL');
    const after = await all.whoAre((found) => found.length === 2 && !found.includes(victim));
    const fresh = after.find(({ pid }) => !before.some((one) => one.pid === pid))!;
    assert.equal(fresh.worker, victim.worker);
    program.child.send('addresses');
    const [{ addresses }] = (await once(program.child, 'message')) as [{ addresses: string[] }];
    assert.equal(addresses.length, 2);
    assert.notDeepEqual(addresses, addressesOf(program));
  });

  test('replaces one that was sent SIGTERM when its call in flight has ended', LIMIT, async () => {
    await using all = programs();
    const program = await all.start({ workers: 2, handleSignals: true });
    const before = await all.whoAre(are(2));
    const calls = await inFlight(all.client.service(Workers));
    process.kill(before[0]!.pid, 'SIGTERM');
    await calls.ended;
    await all.whoAre((found) => found.length === 2 && found.every(({ pid }) => pid !== before[0]!.pid));
    assert.deepEqual(program.ends(), [`${before[0]!.worker} 0`]);
  });

  test('leaves no worker when its first process is killed, and calls in flight end well', LIMIT, async () => {
    await using all = programs();
    const program = await all.start({ workers: 2 });
    const found = await all.whoAre(are(2));
    const calls = await inFlight(all.client.service(Workers));
    program.child.kill('SIGKILL');
    await calls.ended;
    assert.deepEqual(await goneOf(found.map(({ pid }) => pid)), []);
    assert.deepEqual(program.ends(), ['0 0', '1 0']);
  });
});

describe('the end of a server with workers', () => {
  test('close() closes them, with their calls in flight, and they end with 0', LIMIT, async () => {
    await using all = programs();
    const program = await all.start({ workers: 2 });
    await all.whoAre(are(2));
    const calls = await inFlight(all.client.service(Workers));
    program.child.send('close');
    await calls.ended;
    assert.equal(await program.exited, 0);
    assert.deepEqual(program.ends(), ['0 0', '1 0', 'first 0']);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} to all its processes at once closes them like one`, LIMIT, async () => {
      await using all = programs();
      const program = await all.start({ workers: 2, handleSignals: true });
      await all.whoAre(are(2));
      const calls = await inFlight(all.client.service(Workers));
      process.kill(-program.child.pid!, signal);
      await calls.ended;
      assert.equal(await program.exited, 0);
      assert.deepEqual(program.ends(), ['0 0', '1 0', 'first 0']);
    });
  }

  test('a second Ctrl-C does not wait for calls', LIMIT, async () => {
    await using all = programs();
    const program = await all.start({ workers: 2, handleSignals: true, graceMs: 600_000 });
    await all.whoAre(are(2));
    const hung = all.client.service(Workers).hold({ ms: 600_000 }, { timeoutMs: 600_000 });
    const failed = assert.rejects(hung, /UNAVAILABLE/);
    await sleep(200);
    process.kill(-program.child.pid!, 'SIGINT');
    await sleep(500);
    process.kill(-program.child.pid!, 'SIGINT');
    assert.equal(await program.exited, 0);
    await failed;
    assert.deepEqual(program.ends(), ['0 0', '1 0', 'first 0']);
  });

  test('SIGTERM under load loses no call', LIMIT, async (t) => {
    await using all = programs();
    const options = { workers: 2, handleSignals: true };
    const leaving = await all.start(options);
    const staying = await all.start(options);
    const addresses = [...addressesOf(leaving), ...addressesOf(staying)];
    await using calls = calling({ resolver: local({ folder: all.folder }), retry: false });
    await calls.untilPicked(addresses, 100);
    leaving.child.kill('SIGTERM');
    assert.equal(await leaving.exited, 0);
    await calls.untilPicked(addressesOf(staying), 100);
    await calls.stop();
    t.diagnostic(`${calls.sent()} calls, ${JSON.stringify(calls.failed())} failed`);
    assert.deepEqual(calls.failed(), {});
    assert.deepEqual(leaving.ends(), ['0 0', '1 0', 'first 0']);
  });
});

describe('what is no worker of a program', () => {
  test('a process that a worker starts may have workers of its own', LIMIT, async () => {
    await using all = programs();
    const program = await all.start({ workers: 1 }, { LICTOR_WORKER: `${process.ppid}:5` });
    assert.equal(addressesOf(program).length, 1);
    assert.deepEqual(numbers(await all.whoAre(are(1))), [0]);
  });

  test('a worker whose first process is gone starts no others', LIMIT, async () => {
    await using all = programs();
    const program = await all.start({ workers: 1 }, { LICTOR_WORKER: '999999999:5' });
    assert.equal(await program.exited, 1);
    assert.deepEqual(program.ends(), ['first 1']);
  });
});

/** One call in flight to each of two workers; `ended` resolves when they have ended well. */
async function inFlight(workers: { hold(request: { ms: number }): Promise<Who> }) {
  const calls = [workers.hold({ ms: CALL_MS }), workers.hold({ ms: CALL_MS })];
  const ended = Promise.all(calls).then((found) =>
    assert.equal(new Set(found.map(({ pid }) => pid)).size, 2),
  );
  await sleep(CALL_MS / 5);
  return { ended };
}
