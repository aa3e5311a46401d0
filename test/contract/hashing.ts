import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Balancer } from '../../selector/balancer.js';
import type { LiveNode } from '../../selector/live-node.js';
import { liveNode, liveNodes, tally } from './live-nodes.js';

/**
 * What a balancer that goes by `hashKey` keeps to, besides the contract of every balancer.
 * @param movesOthers the share of all keys that a change of the set may move although it need not
 */
export function hashingContract(name: string, create: () => Balancer, movesOthers = 0): void {
  const keys = Array.from({ length: 5_000 }, (_, i) => `user-${i}`);
  const owners = (nodes: readonly LiveNode[]) => {
    const pick = create().build(nodes);
    return keys.map((hashKey) => pick({ hashKey }));
  };
  const moved = (before: readonly LiveNode[], after: readonly LiveNode[]) =>
    before.filter((node, i) => after[i] !== node).length / keys.length;

  describe(`${name} keeps the hashing contract`, () => {
    test('the same key goes to the same node, in every client and whatever the order of the list', () => {
      const nodes = liveNodes([1, 3, 1, 2, 1]);
      const before = owners(nodes);
      assert.deepEqual(owners(nodes), before);
      assert.deepEqual(owners(nodes.toReversed()), before);
    });

    test('an empty key is a key', () => {
      const pick = create().build(liveNodes(20));
      const owner = pick({ hashKey: '' });
      for (let i = 0; i < 50; i++) assert.equal(pick({ hashKey: '' }), owner);
    });

    test('a node that leaves moves its own keys, at most 1.3/n of all; back again it has the same ones', () => {
      const sets = fc.uniqueArray(fc.ipV4(), { minLength: 2, maxLength: 15 });
      const property = fc.property(sets, fc.nat(), (hosts, which) => {
        const nodes = hosts.map((host) => liveNode(`${host}:8000`));
        const gone = nodes[which % nodes.length]!;
        const before = owners(nodes);
        const after = owners(nodes.filter((node) => node !== gone));
        const others = before.filter((owner, i) => owner !== gone && after[i] !== owner);
        assert.ok(others.length / keys.length <= movesOthers, `${others.length} keys of others`);
        const most = 1.3 / nodes.length + movesOthers;
        assert.ok(moved(before, after) <= most, `${moved(before, after)} of ${nodes.length}`);
        assert.deepEqual(owners(nodes), before);
      });
      fc.assert(property, { seed: 4, numRuns: 40 });
    });

    test('a node that drains, or changes its weight, moves no key between the others', () => {
      const nodes = liveNodes([2, 2, 2, 2]);
      const before = owners(nodes);
      for (const weight of [0, 1, 3]) {
        const changed = liveNode(nodes[0]!.node.address, weight);
        const after = owners([changed, ...nodes.slice(1)]);
        const between = after.filter(
          (owner, i) => owner !== changed && before[i] !== nodes[0] && owner !== before[i],
        );
        assert.ok(between.length / keys.length <= movesOthers, `${between.length} keys`);
      }
    });

    test('keys are shared in proportion to the weights', () => {
      for (const weights of [
        [1, 1, 1, 1],
        [1, 2, 5],
        [0.5, 1, 0],
        [100, 200, 300],
      ]) {
        const nodes = liveNodes(weights);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const found = owners(nodes).values();
        tally(nodes, keys.length, () => found.next().value!).forEach((calls, i) => {
          const wanted = (keys.length * weights[i]!) / total;
          assert.ok(
            Math.abs(calls - wanted) <= 0.3 * wanted,
            `weight ${weights[i]}: ${calls}, wanted ${wanted}`,
          );
        });
      }
    });
  });
}
