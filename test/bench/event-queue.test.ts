import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventQueue } from '../../bench/balancers/event-queue.js';
import { seeded } from '../seeded.js';

test('events happen in the order of their times, and of one time in the order in which they were put', () => {
  const events = new EventQueue();
  const random = seeded(1);
  const times = Array.from({ length: 2_000 }, () => Math.floor(random() * 200));
  const happened: { time: number; i: number }[] = [];
  times.forEach((time, i) => {
    events.put(time, () => {
      assert.equal(events.now, time);
      happened.push({ time, i });
    });
  });
  events.runUntil(200);
  const wanted = times.map((time, i) => ({ time, i })).sort((a, b) => a.time - b.time || a.i - b.i);
  assert.deepEqual(happened, wanted);
});

test('an event puts others, and those at the end or after it do not happen', () => {
  const events = new EventQueue();
  const happened: number[] = [];
  const tick = () => {
    happened.push(events.now);
    events.put(10, tick);
  };
  events.put(5, tick);
  events.runUntil(35);
  assert.deepEqual(happened, [5, 15, 25]);
  assert.equal(events.now, 35);
  events.runUntil(36);
  assert.deepEqual(happened, [5, 15, 25, 35]);
});
