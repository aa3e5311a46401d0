import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Balancer } from '../../selector/balancer.js';
import { seeded } from '../seeded.js';
import { liveNode, liveNodes, tally } from './live-nodes.js';
import { play, restarts } from './restarts.js';

type Rule = 'drained' | 'spread' | 'share' | 'restarts' | 'weights';

export type BalancerTraits = {
  readonly create: (random: () => number) => Balancer;
  /**
   * How calls without a key are shared among equal nodes: by chance (checked within 6 standard deviations), or so that
   * two nodes that stay are never more than `apart` calls apart.
   */
  readonly share: 'random' | { readonly apart: number };
  /** Whether a node of weight 2 gets twice as many calls as one of weight 1. */
  readonly weights: 'respected' | 'ignored';
  /** Rules that the balancer does not keep, each with the reason. */
  readonly except?: Partial<Record<Rule, string>>;
};

const HOSTILE = [0, 1, 2, 1_000, 1e-9, 0.3, -1, 1e308, Number.MIN_VALUE, Number.NaN, Infinity, -Infinity];
const key = fc.option(fc.string({ unit: 'binary' }), { nil: undefined });

/** What every balancer keeps to. */
export function balancerContract(name: string, traits: BalancerTraits): void {
  const { create, share, weights, except = {} } = traits;
  const rule = (which: Rule, title: string, body: () => void) =>
    test(title, { skip: except[which] ?? false }, body);

  describe(`${name} keeps the balancer contract`, () => {
    test('it has a name', () => assert.match(create(seeded(1)).name, /^\w+$/));

    test('it picks from the set given, whatever the weights, and changes nothing', () => {
      const sets = fc.array(fc.constantFrom(...HOSTILE), { minLength: 1, maxLength: 12 });
      const property = fc.property(
        sets,
        fc.array(key, { maxLength: 40 }),
        fc.integer(),
        (set, keys, seed) => {
          const nodes = liveNodes(set);
          for (const live of nodes) Object.freeze(Object.freeze(live).node);
          const pick = create(seeded(seed)).build(Object.freeze(nodes));
          for (const hashKey of keys) assert.ok(nodes.includes(pick({ hashKey })));
        },
      );
      fc.assert(property, { seed: 1, numRuns: 150 });
    });

    test('it picks the only node there is', () => {
      for (const weight of HOSTILE) {
        const only = liveNode('10.0.0.1:1', weight);
        const pick = create(seeded(2)).build([only]);
        for (let i = 0; i < 5; i++) assert.equal(pick({ hashKey: `${i}` }), only);
      }
    });

    test('it survives the extremes of a random source', () => {
      for (const random of [() => 0, () => 1 - 2 ** -53]) {
        const nodes = liveNodes([1, 0, 3, 1, 2.5]);
        const pick = create(random).build(nodes);
        for (let i = 0; i < 20; i++) assert.ok(nodes.includes(pick({})));
      }
    });

    rule('drained', 'a node of weight 0 gets no call, with or without a key', () => {
      const nodes = liveNodes([0, 1, 0, 1, 1]);
      const pick = create(seeded(3)).build(nodes);
      for (let i = 0; i < 500; i++) assert.ok(pick(i % 2 ? {} : { hashKey: `${i}` }).node.weight > 0);
    });

    rule('drained', 'when all nodes are drained, all of them get calls', () => {
      const nodes = liveNodes([0, 0, 0]);
      const pick = create(seeded(4)).build(nodes);
      for (const calls of tally(nodes, 300, () => pick({}))) assert.ok(calls > 50, `${calls} of 300`);
    });

    test('a rebuild picks from the new set, and the old pick still works', () => {
      const nodes = liveNodes(4);
      const balancer = create(seeded(5));
      const before = nodes.slice(0, 3);
      const old = balancer.build(before);
      for (let i = 0; i < 7; i++) old({});
      const after = [nodes[3]!, nodes[1]!];
      const pick = balancer.build(after);
      for (let i = 0; i < 50; i++) {
        assert.ok(after.includes(pick({})));
        assert.ok(before.includes(old({})));
      }
    });

    rule('spread', 'many clients do not begin with the same node', () => {
      const nodes = liveNodes(4);
      let seed = 0;
      for (const calls of tally(nodes, 2_000, () => create(seeded(seed++)).build(nodes)({}))) {
        assert.ok(calls > 350, `${calls} of 2000 first calls`);
      }
    });

    rule('share', 'equal nodes get equal shares', () => {
      for (const count of [1, 2, 3, 7, 10]) {
        const nodes = liveNodes(count);
        const pick = create(seeded(count)).build(nodes);
        const counts = tally(nodes, count * 1_000, () => pick({}));
        if (share === 'random')
          for (const calls of counts) assertChance(calls, 1_000, 1_000 * (1 - 1 / count));
        else assertApart(counts, share.apart);
      }
    });

    rule('restarts', 'shares stay fair through rolling restarts', () => {
      const property = fc.property(
        fc.integer({ min: 2, max: 8 }),
        restarts,
        fc.integer(),
        (start, steps, seed) => {
          const balancer = create(seeded(seed));
          const shares = play(start, steps, (nodes) => balancer.build(nodes));
          if (share === 'random') for (const s of shares) assertChance(s.calls, s.expected, s.variance);
          else
            assertApart(
              shares.filter((s) => s.everPresent).map((s) => s.calls),
              share.apart,
            );
        },
      );
      fc.assert(property, { seed: 2, numRuns: 300 });
    });

    rule(
      'weights',
      weights === 'respected' ? 'calls follow the weights' : 'weights other than 0 do not matter',
      () => {
        const property = fc.property(
          fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 2, maxLength: 6 }),
          fc.integer(),
          (set, seed) => {
            const nodes = liveNodes(set);
            const effective = set.map((weight) => (weights === 'respected' ? weight : Math.sign(weight)));
            const total = effective.reduce((sum, weight) => sum + weight, 0);
            fc.pre(total > 0);
            const pick = create(seeded(seed)).build(nodes);
            const counts = tally(nodes, 2_000, () => pick({}));
            counts.forEach((calls, i) => {
              const part = effective[i]! / total;
              if (share === 'random') assertChance(calls, 2_000 * part, 2_000 * part * (1 - part));
              else
                assert.ok(Math.abs(calls - 2_000 * part) <= share.apart, `${calls}, wanted ${2_000 * part}`);
            });
          },
        );
        fc.assert(property, { seed: 3, numRuns: 100 });
      },
    );
  });
}

/** Six standard deviations: one in 500 million for a fair balancer, and 1 more for sums too small to be normal. */
function assertChance(calls: number, expected: number, variance: number): void {
  const within = 6 * Math.sqrt(variance) + 1;
  assert.ok(Math.abs(calls - expected) <= within, `${calls} calls, wanted ${expected} within ${within}`);
}

function assertApart(counts: readonly number[], apart: number): void {
  const distance = Math.max(0, ...counts) - Math.min(...counts, Number.MAX_VALUE);
  assert.ok(distance <= apart, `${counts.join(', ')}: ${distance} apart, at most ${apart}`);
}
