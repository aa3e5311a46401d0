import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CallQueue, type Waiting } from '../../../server/overload/call-queue.js';
import type { Priority } from '../../../server/overload/priority.js';

type Call = Waiting & { name: string; isGone: boolean };
const call = (name: string, priority: Priority = 1, bytes = 1, since = 0): Call => ({
  ...{ name, priority, bytes, since },
  isGone: false,
});

test('the important come first, each in its order', () => {
  const queue = new CallQueue<Call>(10, 100);
  for (const one of [call('a', 2), call('b'), call('c', 0), call('d'), call('e', 0)]) queue.push(one);
  assert.deepEqual(
    [0, 1, 2].map((priority) => queue.before(priority as Priority)),
    [2, 4, 5],
  );
  const order = [];
  for (let next = queue.shift(); next; next = queue.shift()) order.push(next.name);
  assert.deepEqual(order, ['c', 'e', 'b', 'd', 'a']);
  assert.equal(queue.size, 0);
});

test('there is room for so many calls and so many bytes, and some of it is kept for the important', () => {
  const queue = new CallQueue<Call>(10, 100);
  for (let i = 0; i < 5; i++) queue.push(call(`${i}`, 2, 0));
  assert.equal(queue.hasRoom(2, 0), false);
  for (let i = 5; i < 9; i++) queue.push(call(`${i}`, 1, 0));
  assert.equal(queue.hasRoom(1, 0), false);
  assert.equal(queue.hasRoom(0, 100), true);
  assert.equal(queue.hasRoom(0, 101), false);
  assert.equal(new CallQueue<Call>(1, 0).hasRoom(2, 100), true, 'where nothing waits');
  queue.push(call('last', 0, 100));
  assert.equal(queue.hasRoom(0, 0), false);
});

test('a call that has ended takes neither a place nor bytes, nor its turn', () => {
  const queue = new CallQueue<Call>(10, 100);
  const [a, b] = [call('a', 1, 40), call('b', 1, 30)];
  queue.push(a);
  queue.push(b);
  a.isGone = true;
  queue.leave(a);
  assert.deepEqual([queue.size, queue.bytes, queue.before(1)], [1, 30, 1]);
  assert.equal(queue.shift(), b);
  assert.equal(queue.shift(), undefined);
});

test('what has waited since before a time is taken out', () => {
  const queue = new CallQueue<Call>(10, 100);
  for (const one of [call('a', 1, 1, 5), call('b', 0, 1, 20), call('c', 1, 1, 10)]) queue.push(one);
  assert.deepEqual(
    [...queue.waitingSinceBefore(10)].map(({ name }) => name),
    ['a'],
  );
  assert.deepEqual([queue.size, queue.bytes], [2, 2]);
});

test('whatever is pushed, shifted and left, the counts are those of what is there', () => {
  const step = fc.oneof(
    fc.record({ push: fc.nat(2), bytes: fc.nat(9) }),
    fc.constant('shift' as const),
    fc.record({ leave: fc.nat(50) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 3_000, size: 'max' }), (steps) => {
      const queue = new CallQueue<Call>(1e6, 1e6);
      let there: Call[] = [];
      for (const [n, one] of steps.entries()) {
        if (one === 'shift') {
          const next = [...there].sort((x, y) => x.priority - y.priority)[0];
          assert.equal(queue.shift(), next);
          there = there.filter((other) => other !== next);
        } else if ('push' in one) {
          const added = call(`${n}`, one.push as Priority, one.bytes);
          queue.push(added);
          there.push(added);
        } else if (there[one.leave]) {
          const gone = there[one.leave]!;
          gone.isGone = true;
          queue.leave(gone);
          there = there.filter((other) => other !== gone);
        }
      }
      assert.equal(queue.size, there.length);
      assert.equal(
        queue.bytes,
        there.reduce((sum, { bytes }) => sum + bytes, 0),
      );
      assert.equal(queue.before(1), there.filter(({ priority }) => priority <= 1).length);
    }),
    { numRuns: 50 },
  );
});
