import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type EmptyListPolicy, type Link, ListGuard } from '../../selector/list-guard.js';
import { createNode, type Node } from '../../selector/node.js';

const GRACE_MS = 60_000;
const node = (port: number, weight = 1) => createNode({ address: `10.0.0.1:${port}`, weight });
const ten = Array.from({ length: 10 }, (_, i) => node(i + 1));
const addressesOf = (nodes: readonly Node[]) => nodes.map(({ address }) => address).sort();

function guardOf(policy: EmptyListPolicy, link: (address: string) => Link = () => 'up') {
  const guard = new ListGuard({ policy, graceMs: GRACE_MS, link });
  return {
    guard,
    used: () => addressesOf(guard.nodes),
    /** Whether the nodes in use are these, whatever their order. */
    uses(nodes: readonly Node[]) {
      assert.deepEqual(addressesOf(guard.nodes), addressesOf(nodes));
    },
  };
}

for (const policy of ['grace', 'keep', 'obey'] as const) {
  describe(`with the policy ${policy}`, () => {
    test('F7: an empty list', () => {
      const { guard, uses } = guardOf(policy);
      guard.take(ten, 0);
      guard.take([], 1_000);
      uses(policy === 'obey' ? [] : ten);
      guard.expire(1_000 + GRACE_MS - 1);
      uses(policy === 'obey' ? [] : ten);
      assert.equal(guard.due, policy === 'grace' ? 1_000 + GRACE_MS : Number.POSITIVE_INFINITY);
      assert.equal(guard.expire(1_000 + GRACE_MS), policy === 'grace');
      uses(policy === 'keep' ? ten : []);
    });

    test('F8: ten nodes become one', () => {
      const { guard, uses } = guardOf(policy);
      guard.take(ten, 0);
      guard.take(ten.slice(0, 1), 1_000);
      uses(policy === 'obey' ? ten.slice(0, 1) : ten);
      guard.expire(1_000 + GRACE_MS);
      uses(policy === 'keep' ? ten : ten.slice(0, 1));
    });

    test('F8: nine that were drained before leave at once', () => {
      const { guard, uses } = guardOf(policy);
      guard.take(ten, 0);
      guard.take([ten[0]!, ...ten.slice(1).map((_, i) => node(i + 2, 0))], 500);
      guard.take(ten.slice(0, 1), 1_000);
      uses(ten.slice(0, 1));
    });

    test('nodes that the registry says are not to be called leave at once, be they all', () => {
      const { guard, uses } = guardOf(policy);
      guard.take(ten, 0);
      guard.take(ten.slice(0, 1), 500, addressesOf(ten.slice(1)));
      uses(ten.slice(0, 1));
      guard.take([], 1_000, addressesOf(ten));
      uses([]);
      assert.equal(guard.suspects, 0);
    });

    test('a node that is lost with the others is kept until the registry says that it is not to be called', () => {
      const { guard, uses } = guardOf(policy);
      guard.take(ten, 0);
      guard.take([], 500, addressesOf(ten.slice(0, 8)));
      uses(policy === 'obey' ? [] : ten.slice(8));
      guard.take([], 600, addressesOf(ten.slice(0, 9)));
      uses(policy === 'obey' ? [] : ten.slice(9));
    });

    test('F4: sessions that end one after the other are a mass loss from the sixth of ten on', () => {
      const { guard, uses } = guardOf(policy);
      guard.take(ten, 0);
      for (let gone = 1; gone <= 10; gone++) guard.take(ten.slice(gone), gone * 100);
      uses(policy === 'obey' ? [] : ten.slice(5));
      guard.take(ten, 2_000);
      uses(ten);
      assert.equal(guard.suspects, 0);
    });

    test('F3: servers that are listed again, one by one, are used all the time', () => {
      const { guard, used, uses } = guardOf(policy);
      guard.take(ten, 0);
      for (let back = 0; back <= 10; back++) {
        guard.take(ten.slice(0, back), 1_000 + back * 100);
        assert.equal(used().length, policy === 'obey' ? back : 10);
      }
      assert.equal(guard.suspects, 0);
      guard.expire(1_000_000);
      uses(ten);
    });

    test('F9: one node that leaves is gone at once, and a new one is there at once', () => {
      const { guard, uses } = guardOf(policy);
      guard.take(ten, 0);
      guard.take(ten.slice(1), 100);
      uses(ten.slice(1));
      guard.take([...ten.slice(1), node(99)], 200);
      uses([...ten.slice(1), node(99)]);
    });

    test('nodes that leave one by one over minutes are no mass loss', () => {
      const { guard, uses } = guardOf(policy);
      guard.take(ten, 0);
      for (let gone = 1; gone <= 9; gone++) {
        guard.take(ten.slice(gone), gone * 20_000);
        uses(ten.slice(gone));
      }
    });

    test('a suspect whose connection is refused is dropped, the others stay', () => {
      const { guard, uses } = guardOf(policy);
      guard.take(ten, 0);
      guard.take([], 1_000);
      assert.equal(guard.refused(ten[0]!.address), policy !== 'obey');
      assert.equal(guard.refused(ten[0]!.address), false);
      uses(policy === 'obey' ? [] : ten.slice(1));
    });

    test('of lost nodes those stay that can be reached', () => {
      const links: Record<string, Link> = { [ten[0]!.address]: 'up', [ten[1]!.address]: 'none' };
      const { guard, uses } = guardOf(policy, (address) => links[address] ?? 'down');
      guard.take(ten, 0);
      guard.take([], 1_000);
      uses({ grace: ten.slice(0, 1), keep: ten.slice(0, 2), obey: [] }[policy]);
    });

    test('of two nodes with one address the first counts', () => {
      const { guard, used } = guardOf(policy);
      guard.take([node(1, 5), node(1, 7), node(2)], 0);
      assert.deepEqual(used(), ['10.0.0.1:1', '10.0.0.1:2']);
      assert.equal(guard.nodes[0]!.weight, 5);
    });
  });
}
