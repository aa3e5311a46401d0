import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GradientLimit } from '../../../server/overload/gradient-limit.js';

const samples = (limit: GradientLimit, tookMs: number, count = 20) => {
  for (let i = 0; i < count; i++) limit.sample(tookMs, 10);
};
const counted = { counts: true, lateness: 0 };

test('nothing is limited while calls take what they usually take', () => {
  const limit = new GradientLimit(20, 10_000);
  for (let window = 0; window < 10; window++) {
    samples(limit, 14);
    limit.end({ peak: 500, ...counted });
    assert.equal(limit.value, 10_000);
  }
});

test('calls that take longer than usual bring the limit down to what ran, by how much longer they take', () => {
  const limit = new GradientLimit(20, 10_000);
  samples(limit, 20);
  limit.end({ peak: 400, ...counted });
  assert.equal(limit.value, 400 * 0.75 + 20);
  samples(limit, 1_000);
  limit.end({ peak: 100, ...counted });
  assert.equal(limit.value, 100 * 0.5 + 10);
});

test('it never falls below what may always run, and comes back within seconds', () => {
  const limit = new GradientLimit(20, 10_000);
  for (let window = 0; window < 50; window++) {
    samples(limit, 1_000);
    limit.end({ peak: 400, ...counted });
  }
  assert.ok(limit.value >= 20 && limit.value < 30, `${limit.value}`);
  for (let window = 0; window < 50; window++) {
    samples(limit, 10);
    limit.end({ peak: 20, ...counted });
  }
  assert.ok(limit.value > 800, `${limit.value}`);
});

test('an event loop that is late brings it down whatever the calls took', () => {
  const limit = new GradientLimit(20, 10_000);
  limit.end({ peak: 100, counts: false, lateness: 1 });
  assert.equal(limit.value, 10_000);
  for (const [lateness, value] of [
    [1.1, 90],
    [1.6, 72.5],
    [10, 60],
  ] as const) {
    const late = new GradientLimit(20, 10_000);
    late.end({ peak: 100, counts: false, lateness });
    assert.equal(late.value, value);
    assert.ok(late.isCongested);
  }
});

test('a few calls say nothing, nor do times that do not count', () => {
  const limit = new GradientLimit(20, 10_000);
  samples(limit, 1_000, 9);
  limit.end({ peak: 100, ...counted });
  assert.equal(limit.value, 10_000);
  samples(limit, 1_000, 1);
  limit.end({ peak: 100, ...counted });
  assert.ok(limit.value < 100, 'those of two windows are enough');
  const other = new GradientLimit(20, 10_000);
  samples(other, 1_000);
  other.end({ peak: 100, counts: false, lateness: 0 });
  assert.equal(other.value, 10_000);
});
