import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from 'lictor';
import { startFleet } from '../../../server/workers/fleet.js';
import { deferred, turns } from '../../deferred.js';
import { scriptedClock, scriptedFork } from './scripted.js';

function fleetOf(count: number) {
  const { fork, processes } = scriptedFork();
  const clock = scriptedClock();
  const fleet = startFleet(count, { fork, clock, logger: silentLogger, random: () => 1 });
  return { fleet, processes, clock };
}

const never = new Promise<void>(() => {});

test('a fleet has started when all its workers serve', async () => {
  const { fleet, processes } = fleetOf(3);
  let started = false;
  void fleet.started.then(() => {
    started = true;
  });
  assert.deepEqual(
    processes.map(({ number }) => number),
    [0, 1, 2],
  );
  processes[2]!.serves('127.0.0.1:3');
  processes[0]!.serves('127.0.0.1:1');
  await turns();
  assert.equal(started, false);
  assert.deepEqual(fleet.addresses(), ['127.0.0.1:1', '127.0.0.1:3']);
  processes[1]!.serves('127.0.0.1:2');
  await fleet.started;
  processes[0]!.ends();
  assert.deepEqual(fleet.addresses(), ['127.0.0.1:2', '127.0.0.1:3']);
});

test('a fleet fails with the first worker that does', async () => {
  const { fleet, processes } = fleetOf(2);
  processes[1]!.fails('no');
  await assert.rejects(fleet.started, /worker 1 could not serve: no/);
});

test('a fleet has ended when all its workers are gone, those that wait to be started too', async () => {
  const { fleet, processes, clock } = fleetOf(3);
  for (const one of processes) one.serves('127.0.0.1:1');
  processes[1]!.ends();
  const ended = fleet.end({ limitMs: 5_000, hurry: never });
  processes[0]!.ends({ code: 0 });
  clock.pass(5_000);
  assert.equal(processes[2]!.kills, 1);
  processes[2]!.ends({ code: null, signal: 'SIGKILL' });
  await ended;
  await fleet.end({ limitMs: 5_000, hurry: never });
  assert.deepEqual(
    processes.map(({ orders }) => orders),
    [['close'], [], ['close']],
  );
});

test('a fleet that is hurried tells its workers to close now, and kills those that do not', async () => {
  const { fleet, processes, clock } = fleetOf(2);
  for (const one of processes) one.serves('127.0.0.1:1');
  const hurry = deferred();
  const ended = fleet.end({ limitMs: 60_000, hurry: hurry.promise });
  hurry.resolve();
  await turns();
  for (const one of processes) assert.deepEqual(one.orders, ['close', 'closeNow']);
  processes[0]!.ends({ code: 0 });
  clock.pass(2_000);
  assert.deepEqual(
    processes.map(({ kills }) => kills),
    [0, 1],
  );
  processes[1]!.ends();
  await ended;
});
