import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { badShare, type Call, recoveredAfter } from '../../bench/overload/recovery.js';

const OVER_MS = 8_000;
const error = new Error('refused');

/** A call every 10 ms; those for which `bad` holds are refused. */
const calls = (bad: (ms: number, i: number) => boolean): Call[] =>
  Array.from({ length: OVER_MS / 10 }, (_, i) => {
    const sentAt = 1_000 + 10 * i;
    return { sentAt, endedAt: sentAt + 3, error: bad(10 * i, i) ? error : undefined };
  });
const good = calls(() => false);
const recovered = (own: readonly Call[], others = good) => recoveredAfter(own, others, OVER_MS, 20);

describe('when a server has recovered', () => {
  test('at once when its calls are answered', () => {
    assert.equal(recovered(good), 0);
  });
  test('when the last ones that failed are over', () => {
    assert.equal(recovered(calls((ms) => ms < 3_000)), 3_000);
  });
  test('not before the end when some fail all the time', () => {
    assert.equal(recovered(calls((_, i) => i % 10 === 0)), OVER_MS - 500);
  });
  test('slow calls count like failed ones', () => {
    const slow = good.map((call) => ({ ...call, endedAt: call.sentAt + 21 }));
    assert.equal(badShare(slow, 20), 1);
    assert.equal(recovered(slow), OVER_MS - 500);
  });
  test('what befalls a server beside it as well is the machine', () => {
    const noisy = calls((ms) => ms % 1_000 < 100);
    assert.equal(recovered(noisy, noisy), 0);
    assert.equal(recovered(noisy), OVER_MS - 500);
  });
  test('without calls there is nothing bad', () => {
    assert.equal(badShare([], 20), 0);
  });
});
