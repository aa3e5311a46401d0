import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Paced } from '../../selector/paced.js';

test('F10: of an entry that comes and goes twenty times a second for half a minute little is passed on', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const passed: number[] = [];
  const paced = new Paced<number>((value) => passed.push(value));
  let last = 0;
  for (let ms = 0; ms < 30_000; ms += 50) {
    paced.put(++last);
    t.mock.timers.tick(50);
  }
  assert.ok(passed.length <= 2 + 30 * 4, `${passed.length} values`);
  assert.ok(passed.length >= 30 * 4, `${passed.length} values`);
  t.mock.timers.tick(250);
  assert.equal(passed.at(-1), last, 'the last one comes through');
});

test('two values pass at once, and again after a pause', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const passed: number[] = [];
  const paced = new Paced<number>((value) => passed.push(value));
  for (const value of [1, 2, 3, 4]) paced.put(value);
  assert.deepEqual(passed, [1, 2]);
  t.mock.timers.tick(250);
  assert.deepEqual(passed, [1, 2, 4]);
  for (let i = 0; i < 4; i++) t.mock.timers.tick(250);
  for (const value of [5, 6, 7]) paced.put(value);
  assert.deepEqual(passed, [1, 2, 4, 5, 6]);
  paced.close();
  t.mock.timers.tick(1_000);
  assert.deepEqual(passed, [1, 2, 4, 5, 6], 'nothing after the end');
});
