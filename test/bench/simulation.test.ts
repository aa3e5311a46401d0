import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MOST_P99, MOST_SLOW_SHARE } from '../../bench/balancers/figures.js';
import { ten } from '../../bench/balancers/scenarios.js';
import { type Scenario, simulate } from '../../bench/balancers/simulation.js';
import { names } from '../../bench/balancers/subjects.js';
import { seeded } from '../seeded.js';

const short: Scenario = { ...ten.oneSlow, seconds: 8 };

describe('a simulation', () => {
  test('is the same for the same seed, with each balancer, and another for another seed', () => {
    for (const name of names) {
      const outcome = simulate(short, name, seeded(1));
      assert.deepEqual(simulate(short, name, seeded(1)), outcome, name);
      assert.notDeepEqual(simulate(short, name, seeded(2)), outcome, name);
    }
  });

  test('shows that p2cEwma sends one slow server of ten few calls, and that p99 stays', () => {
    for (const seed of [1, 2, 3]) {
      const slow = simulate(ten.oneSlow, 'p2cEwma', seeded(seed));
      const healthy = simulate(ten.healthy, 'p2cEwma', seeded(seed));
      assert.ok(slow.illShare! <= MOST_SLOW_SHARE, `${slow.illShare}`);
      assert.ok(slow.p99Ms <= MOST_P99 * healthy.p99Ms, `${slow.p99Ms} ms, healthy ${healthy.p99Ms} ms`);
    }
  });
});

// With this for chance, all times are their means times the logarithm of 2: arithmetic knows what has to come out.
const half = () => 0.5;
const LN2 = Math.log(2);
const NETWORK_MS = 0.5;

const one: Scenario = {
  name: 'one server',
  story: '',
  servers: 1,
  rate: 100,
  serviceMs: 9,
  seconds: 1,
  measureFromS: 0,
  begin() {},
};

const near = (value: number, wanted: number) =>
  assert.ok(Math.abs(value - wanted) < 1e-6, `${value}, wanted ${wanted}`);

describe('by arithmetic', () => {
  test('a server that is fast enough takes the time of its work, and of the way', () => {
    const outcome = simulate(one, 'p2cEwma', half);
    // A call every 6.93 ms from 0 on.
    assert.equal(outcome.calls, 145);
    for (const ms of [outcome.p50Ms, outcome.p99Ms, outcome.p999Ms]) near(ms, 9 * LN2 + NETWORK_MS);
    assert.deepEqual(
      { errors: outcome.errors, maxOverMean: outcome.maxOverMean, hits: outcome.hits },
      { errors: 0, maxOverMean: 1, hits: null },
    );
  });

  test('two workers with more calls than they can do let each wait longer than the one before', () => {
    const outcome = simulate({ ...one, rate: 400 }, 'roundRobin', half);
    const [between, work] = [2.5 * LN2, 9 * LN2];
    const count = Math.ceil(1_000 / between);
    // Each worker does every second call, one right after the other.
    const times = Array.from({ length: count }, (_, i) => {
      const before = Math.floor(i / 2);
      return (before + 1) * work - before * 2 * between + NETWORK_MS;
    });
    assert.equal(outcome.calls, count);
    near(outcome.p50Ms, times[Math.floor(count * 0.5)]!);
    near(outcome.p99Ms, times[Math.floor(count * 0.99)]!);
  });

  test('of two servers in turn, one that fails costs half of the calls, and none when it is ejected', () => {
    const failing: Scenario = {
      ...one,
      servers: 2,
      seconds: 10,
      ill: 1,
      ejects: false,
      begin: ({ servers }) => {
        servers[1]!.failing = 1;
      },
    };
    const outcome = simulate(failing, 'roundRobin', half);
    assert.equal(Math.floor(outcome.errors * outcome.calls), Math.floor(outcome.calls / 2));
    assert.equal(outcome.illShare, outcome.errors);
    const ejected = simulate({ ...failing, ejects: true, measureFromS: 1, seconds: 4 }, 'roundRobin', half);
    assert.deepEqual([ejected.errors, ejected.illShare], [0, 0]);
  });

  test('calls to a server that hangs end at the time-out, as failed ones', () => {
    const begin: Scenario['begin'] = ({ servers }) => {
      servers[0]!.slowness = 1e9;
    };
    const outcome = simulate({ ...one, begin }, 'random', half);
    assert.equal(outcome.errors, 1);
    for (const ms of [outcome.p50Ms, outcome.p999Ms]) near(ms, 2_000);
  });

  test('a cache has what was asked for before, but for what it had to drop', () => {
    const cached: Scenario = { ...one, cache: { hitMs: 1, size: 2 } };
    const asking = (keys: number) => {
      let next = 0;
      return simulate({ ...cached, key: () => next++ % keys }, 'maglev', half);
    };
    near(asking(2).hits!, 143 / 145);
    near(asking(2).p50Ms, LN2 + NETWORK_MS);
    assert.equal(asking(3).hits, 0);
  });
});
