import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Status, statusFrom, statusName } from '../../rpc/status.js';

test('the codes are those of gRPC, and each has its name', () => {
  assert.deepEqual(Object.values(Status), [...Array(17).keys()]);
  for (const [name, code] of Object.entries(Status)) {
    assert.equal(statusName(code), name);
    assert.equal(statusFrom(code), code);
  }
});

test('a number that gRPC does not define is UNKNOWN', () => {
  for (const code of [-1, 17, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    assert.equal(statusFrom(code), Status.UNKNOWN);
    assert.equal(statusName(code as Status), 'UNKNOWN');
  }
});
