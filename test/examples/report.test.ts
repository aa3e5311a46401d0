import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { problems, type Role, summary } from '../../examples/demo/report.js';
import type { Tally } from '../../examples/demo/tally.js';

const servers: readonly Role[] = [
  { name: 'A', address: '127.0.0.1:1001', role: 'stayed' },
  { name: 'B', address: '127.0.0.1:1002', role: 'killed' },
  { name: 'C', address: '127.0.0.1:1003', role: 'joined' },
];

const good: Tally = {
  calls: 1_204,
  failures: { UNAVAILABLE: 4 },
  answers: { before: { A: 200, B: 200 }, killed: { A: 400 }, joined: { A: 200, C: 200 } },
  underWay: 4,
};

describe('the report of the demo', () => {
  test('shows who answered in each phase', () => {
    assert.deepEqual(problems(good, servers), []);
    assert.deepEqual(summary(good, servers), [
      '1,204 calls, 4 failed: 4 UNAVAILABLE, on the way to B or back when it died',
      '',
      '  answered by         at first         B killed         C joined',
      '  A 127.0.0.1:1001    ████████   200   ████████   400   ████████   200',
      '  B 127.0.0.1:1002    ████████   200   ✗                                 killed',
      '  C 127.0.0.1:1003                                      ████████   200   joined',
    ]);
  });

  test('finds more failures than the killed server can have caused', () => {
    assert.deepEqual(problems({ ...good, failures: { UNAVAILABLE: 5 } }, servers), [
      '5 calls failed, but only 4 were under way on the killed server',
    ]);
  });

  test('finds failures of another kind', () => {
    assert.deepEqual(problems({ ...good, failures: { INTERNAL: 1 } }, servers), [
      'calls failed with INTERNAL, which no killed server explains',
    ]);
  });

  test('finds servers that answered when they should not, or did not when they should', () => {
    const answers = { before: { A: 200, B: 200 }, killed: { A: 400, B: 1 }, joined: { A: 200 } };
    assert.deepEqual(problems({ ...good, answers }, servers), [
      "B answered in the phase 'killed', when it was not there",
      "C answered no call in the phase 'joined'",
    ]);
  });
});
