import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AliasTable } from '../../selector/alias-table.js';
import { weightedRandom } from '../../selector/balancer/weighted-random.js';
import { balancerContract } from '../contract/balancer.js';

balancerContract('weightedRandom', {
  create: (random) => weightedRandom({ random }),
  share: 'random',
  weights: 'respected',
});

test('the table draws each index for exactly its share of all numbers', () => {
  for (const weights of [[1], [1, 1], [1, 2, 3, 4], [1_000, 1, 1, 1], [1e-6, 1_000], [0.1, 0.2, 0.3]]) {
    const table = new AliasTable(weights);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const draws = 100_000;
    const counts = weights.map(() => 0);
    for (let i = 0; i < draws; i++) {
      const index = table.draw((i + 0.5) / draws);
      counts[index] = counts[index]! + 1;
    }
    counts.forEach((count, i) => {
      const share = weights[i]! / total;
      assert.ok(
        Math.abs(count / draws - share) <= weights.length / draws,
        `${weights}: ${count} of ${draws}`,
      );
    });
  }
});
