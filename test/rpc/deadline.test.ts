import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  deadlineExceeded,
  deadlineIn,
  formatTimeout,
  MAX_TIMEOUT_MS,
  parseTimeout,
  remainingMs,
} from '../../rpc/deadline.js';
import { Status } from '../../rpc/status.js';

describe('a deadline from now', () => {
  test('F53: lies as far ahead as was asked, and no more than 24 hours', () => {
    for (const [timeoutMs, wanted] of [
      [0, 0],
      [1_000, 1_000],
      [1e300, MAX_TIMEOUT_MS],
    ] as const) {
      const before = performance.now();
      const deadline = deadlineIn(timeoutMs)!;
      assert.ok(deadline >= before + wanted && deadline <= performance.now() + wanted);
      assert.ok(remainingMs(deadline) <= wanted);
    }
  });

  test('Infinity is none', () => {
    assert.equal(deadlineIn(Number.POSITIVE_INFINITY), undefined);
    assert.equal(remainingMs(undefined), Number.POSITIVE_INFINITY);
  });

  test('what is not a number of milliseconds is refused, with the value in the message', () => {
    for (const value of [Number.NaN, -1, Number.NEGATIVE_INFINITY, '5', null, {}])
      assert.throws(
        () => deadlineIn(value as number),
        (error) => error instanceof RangeError && error.message.includes(`got ${value}`),
      );
  });
});

describe('grpc-timeout', () => {
  test('every unit is read', () => {
    const texts = { '1H': 3_600_000, '2M': 120_000, '3S': 3_000, '4m': 4, '5u': 0.005, '0S': 0, '000m': 0 };
    for (const [text, ms] of Object.entries(texts)) assert.equal(parseTimeout(text), ms, text);
    assert.ok(Math.abs(parseTimeout('6n')! - 6e-6) < 1e-12);
  });

  test('more than 24 hours is cut', () => {
    for (const text of ['99999999H', '99999999S', '25H']) assert.equal(parseTimeout(text), MAX_TIMEOUT_MS);
  });

  test('F53: what the specification does not allow is no time-out', () => {
    const bad = ['', 'S', '1', '-1S', '+1S', '1.5S', '1s', '1 S', ' 1S', '1S ', '1S\n', '1e3S', 'NaNS', '٣S'];
    for (const text of [...bad, '99999999999S', '123456789n', '1SS', '0x1S'])
      assert.equal(parseTimeout(text), undefined, JSON.stringify(text));
  });

  test('is written with at most eight digits, never less than what is left', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: MAX_TIMEOUT_MS, noNaN: true }), (ms) => {
        const text = formatTimeout(ms);
        assert.match(text, /^\d{1,8}[um]$/);
        const read = parseTimeout(text)!;
        // 1e-9 for the rounding of the product.
        assert.ok(read >= ms - 1e-9 && read < ms + (text.endsWith('u') ? 0.002 : 1), `${ms} became ${text}`);
      }),
    );
  });

  test('past, endless and absurd times are written as something a server can read', () => {
    assert.equal(formatTimeout(-1), '0u');
    assert.equal(formatTimeout(Number.NEGATIVE_INFINITY), '0u');
    assert.equal(formatTimeout(Number.POSITIVE_INFINITY), '86400000m');
    assert.equal(formatTimeout(99_998.9999), '99999000u');
    assert.equal(formatTimeout(99_999), '99999m');
    assert.equal(formatTimeout(0.0001), '1u');
  });
});

test('an exceeded deadline may have run unless that is ruled out', () => {
  assert.equal(deadlineExceeded('x').code, Status.DEADLINE_EXCEEDED);
  assert.equal(deadlineExceeded('x').maybeExecuted, true);
  assert.equal(deadlineExceeded('x', false).maybeExecuted, false);
});
