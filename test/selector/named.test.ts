import assert from 'node:assert/strict';
import { test } from 'node:test';
import { balancerNamed, balancerNames } from '../../selector/balancer/named.js';

test('each name gives the balancer of that name', () => {
  for (const name of balancerNames) {
    assert.equal(balancerNamed(name).name, name);
  }
});

test('a value is given back as it is', () => {
  const value = { name: 'mine', build: () => () => assert.fail() };
  assert.equal(balancerNamed(value), value);
});

test('every name gives a balancer of its own', () => {
  assert.notEqual(balancerNamed('roundRobin'), balancerNamed('roundRobin'));
});

test('an unknown name is an error that lists the known ones', () => {
  const known =
    "balancer: 'random', 'roundRobin', 'weightedRoundRobin', 'weightedRandom', 'leastRequest', 'p2c', 'p2cEwma', " +
    "'consistentHash', 'maglev', 'rendezvous', or a value with build(), got ";
  for (const [value, shown] of [
    ['round-robin', '"round-robin"'],
    ['constructor', '"constructor"'],
    ['', '""'],
    [undefined, 'undefined'],
    [null, 'null'],
    [7, '7'],
    [{ name: 'x' }, 'an object without build()'],
  ] as const) {
    assert.throws(() => balancerNamed(value as never), { name: 'RangeError', message: known + shown });
  }
});
