import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Status } from 'lictor';
import { keepWorker } from '../../../server/workers/kept-worker.js';
import { turns } from '../../deferred.js';
import { recordingLogger } from '../../plugin/log.js';
import { scriptedClock, scriptedFork } from './scripted.js';

function kept(random = () => 1) {
  const { fork, processes } = scriptedFork();
  const clock = scriptedClock();
  const logger = recordingLogger();
  const worker = keepWorker(3, { fork, clock, logger, random });
  return { worker, processes, clock, lines: logger.lines, last: () => processes.at(-1)! };
}

/** Whether it has been settled. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.finally(() => {
    done = true;
  });
  await turns();
  return done;
}

describe('a worker that dies', () => {
  test('is started again, each time after twice the wait, and at most ten seconds', () => {
    const { processes, clock, last } = kept();
    last().serves('127.0.0.1:1');
    const waits: number[] = [];
    for (let death = 0; death < 9; death++) {
      last().ends();
      const [wait] = clock.waits() as [number];
      waits.push(wait);
      clock.pass(wait - 1);
      assert.equal(processes.length, death + 1);
      clock.pass(1);
      assert.equal(processes.length, death + 2);
      last().serves('127.0.0.1:1');
    }
    assert.deepEqual(waits, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
  });

  test('waits half of that, or more, by chance', () => {
    const { clock, last } = kept(() => 0);
    last().serves('127.0.0.1:1');
    last().ends();
    assert.deepEqual(clock.waits(), [50]);
  });

  test('waits as the first time when it had served for ten seconds, and not when it had only lived for so long', () => {
    const { clock, last } = kept();
    last().serves('127.0.0.1:1');
    const wait = () => {
      last().ends();
      const [ms] = clock.waits() as [number];
      clock.pass(ms);
      return ms;
    };
    assert.deepEqual([wait(), wait()], [100, 200]);
    clock.pass(60_000);
    assert.equal(wait(), 400);
    last().serves('127.0.0.1:1');
    clock.pass(9_999);
    assert.equal(wait(), 800);
    last().serves('127.0.0.1:1');
    clock.pass(10_000);
    assert.equal(wait(), 100);
  });

  test('has an address only while it serves', () => {
    const { worker, clock, last } = kept();
    assert.equal(worker.address(), undefined);
    last().serves('127.0.0.1:1');
    assert.equal(worker.address(), '127.0.0.1:1');
    last().ends();
    assert.equal(worker.address(), undefined);
    clock.pass(100);
    assert.equal(worker.address(), undefined);
    last().serves('127.0.0.1:2');
    assert.equal(worker.address(), '127.0.0.1:2');
  });

  test('is logged with its number, its process and how it ended', () => {
    const { clock, last, lines } = kept();
    last().serves('127.0.0.1:1');
    last().ends({ code: 7 });
    clock.pass(100);
    last().ends({ code: null, signal: 'SIGKILL' });
    clock.pass(200);
    last().ends({ code: null, error: new Error('spawn EAGAIN') });
    const message = 'a worker ended and is started again';
    assert.deepEqual(
      lines.map(({ message, fields }) => ({ message, ...fields })),
      [
        { message, worker: 3, pid: 1, how: 'code 7', inMs: 100 },
        { message, worker: 3, pid: 2, how: 'signal SIGKILL', inMs: 200 },
        { message, worker: 3, pid: 3, how: 'it could not be started: spawn EAGAIN', inMs: 400 },
      ],
    );
  });
});

describe('a worker that does not come to serve', () => {
  test('the first time fails with what it said, is told to end, and is not started again', async () => {
    const { worker, processes, clock, last } = kept();
    last().fails('the port is taken');
    await assert.rejects(worker.started, {
      code: Status.UNAVAILABLE,
      message: /worker 3.*the port is taken/,
    });
    assert.deepEqual(last().orders, ['closeNow']);
    last().ends();
    assert.deepEqual(clock.waits(), []);
    assert.equal(processes.length, 1);
    await worker.end('closeNow', 1);
  });

  test('the first time fails with how it ended when it said nothing', async () => {
    const { worker, last } = kept();
    last().ends({ code: 9 });
    await assert.rejects(worker.started, { message: /worker 3 ended before it served: code 9/ });
  });

  test('later on is logged and started again, and killed when it does not end by itself', () => {
    const { processes, clock, last, lines } = kept();
    last().serves('127.0.0.1:1');
    last().ends();
    clock.pass(100);
    last().fails('the port is taken');
    assert.deepEqual(last().orders, ['closeNow']);
    assert.deepEqual(lines.at(-1)!.fields, { worker: 3, reason: 'the port is taken' });
    clock.pass(999);
    assert.equal(last().kills, 0);
    clock.pass(1);
    assert.equal(last().kills, 1);
    last().ends();
    clock.pass(200);
    assert.equal(processes.length, 3);
  });
});

describe('a worker that is told to end', () => {
  test('is not started again, and is gone when its process is', async () => {
    const { worker, processes, clock, last, lines } = kept();
    last().serves('127.0.0.1:1');
    const ended = worker.end('close', 5_000);
    assert.deepEqual(last().orders, ['close']);
    assert.equal(await isDone(ended), false);
    last().ends({ code: 0 });
    await ended;
    assert.deepEqual(clock.waits(), []);
    assert.equal(processes.length, 1);
    assert.deepEqual(lines, []);
  });

  test('is killed when its time is over', async () => {
    const { worker, clock, last, lines } = kept();
    last().serves('127.0.0.1:1');
    const ended = worker.end('close', 5_000);
    clock.pass(4_999);
    assert.equal(last().kills, 0);
    clock.pass(1);
    assert.equal(last().kills, 1);
    assert.match(lines[0]!.message, /is killed/);
    last().ends({ code: null, signal: 'SIGKILL' });
    await ended;
  });

  test('is told again when it serves: while it started it may not have listened', () => {
    const { worker, clock, last } = kept();
    last().serves('127.0.0.1:1');
    last().ends();
    clock.pass(100);
    void worker.end('close', 1_000);
    clock.pass(999);
    last().serves('127.0.0.1:1');
    assert.deepEqual(last().orders, ['close', 'close']);
    clock.pass(1);
    assert.equal(last().kills, 1, 'and has no more time');
  });

  test('has the time of the last order', () => {
    const { worker, clock, last } = kept();
    last().serves('127.0.0.1:1');
    void worker.end('close', Number.POSITIVE_INFINITY);
    assert.deepEqual(clock.waits(), [2 ** 31 - 1]);
    void worker.end('closeNow', 1_000);
    assert.deepEqual(last().orders, ['close', 'closeNow']);
    clock.pass(1_000);
    assert.equal(last().kills, 1);
  });

  test('is gone at once, for good, when it was waiting to be started', async () => {
    const { worker, processes, clock, last } = kept();
    last().serves('127.0.0.1:1');
    last().ends();
    await worker.end('close', 5_000);
    clock.pass(60_000);
    assert.equal(processes.length, 1);
  });

  test('has failed to start when it had not served', async () => {
    const { worker, last } = kept();
    const ended = worker.end('closeNow', 1_000);
    last().ends({ code: 0 });
    await ended;
    await assert.rejects(worker.started, { message: /ended before it served: code 0/ });
  });
});
