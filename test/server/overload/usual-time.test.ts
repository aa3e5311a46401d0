import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsualTime } from '../../../server/overload/usual-time.js';

/** 100 calls a second. */
function learn(usual: UsualTime, tookMs: number, seconds: number, from: number, isCalm: boolean): number {
  for (let i = 1; i <= seconds * 100; i++) usual.learn(tookMs, isCalm, from + i * 10);
  return from + seconds * 1_000;
}

test('the first calls say at once what is usual', () => {
  const usual = new UsualTime();
  for (const [i, ms] of [10, 20, 30].entries()) usual.learn(ms, true, i);
  assert.ok(Math.abs(usual.ms - 20) < 1e-9);
});

test('it follows in seconds what becomes slower in peace, and in minutes what does so in congestion', () => {
  const usual = new UsualTime();
  let now = learn(usual, 10, 60, 0, true);
  now = learn(usual, 100, 10, now, false);
  assert.ok(usual.ms < 14, `${usual.ms}`);
  now = learn(usual, 100, 900, now, false);
  assert.ok(usual.ms > 90, `${usual.ms}`);
  learn(usual, 10, 40, now, true);
  assert.ok(usual.ms < 13, `${usual.ms}`);
});
