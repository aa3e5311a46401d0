import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { zoneFirst } from '../../selector/balancer/zone-first.js';
import type { LiveNode } from '../../selector/live-node.js';
import { balancerContract } from '../contract/balancer.js';
import { liveNode, liveNodes, tally } from '../contract/live-nodes.js';
import { seeded } from '../seeded.js';

balancerContract('zoneFirst, of a client in a zone without nodes,', {
  create: (random) => zoneFirst({ zone: 'here', balancer: 'weightedRandom', random }),
  share: 'random',
  weights: 'respected',
  except: {
    spread: 'the inner balancer is one by name, with chances of its own',
  },
});

const inZone = (zone: string, count: number): LiveNode[] =>
  Array.from({ length: count }, (_, i) => {
    const live = liveNode(`${zone}:${i + 1}`);
    return { ...live, node: { ...live.node, zone } };
  });

describe('a client in zone a', () => {
  const [a, b] = [inZone('a', 10), inZone('b', 10)];
  const all = [...a, ...b];
  /** The share of calls that stay, when only some of the zone's nodes can be picked. */
  const kept = (near: number, far = b) => {
    const pick = zoneFirst({ zone: 'a', balancer: 'roundRobin', random: seeded(near) }).build(
      [...a.slice(0, near), ...far],
      all,
    );
    const counts = tally(all, 10_000, () => pick({}, 0));
    return counts.slice(0, 10).reduce((sum, calls) => sum + calls, 0) / 10_000;
  };

  test('calls that zone alone while 72 % of its nodes can be picked', () => {
    assert.equal(kept(10), 1);
    assert.equal(kept(8), 1);
  });

  test('spills over what fewer nodes cannot take', () => {
    assert.ok(Math.abs(kept(5) - 0.7) < 0.03, `${kept(5)}`);
    assert.ok(Math.abs(kept(1) - 0.14) < 0.03, `${kept(1)}`);
    assert.equal(kept(0), 0);
  });

  test('stays when there is nowhere else to go', () => assert.equal(kept(2, []), 1));

  test('sends the same keys elsewhere every time', () => {
    const pick = zoneFirst({ zone: 'a', balancer: 'maglev' }).build([...a.slice(0, 5), ...b], all);
    for (let i = 0; i < 100; i++) assert.equal(pick({ hashKey: `${i}` }), pick({ hashKey: `${i}` }));
  });
});

test('weights of 0 are no capacity', () => {
  const near = inZone('a', 2).map((live) => ({ ...live, node: { ...live.node, weight: 0 } }));
  const far = liveNodes(2);
  const pick = zoneFirst({ zone: 'a', balancer: 'roundRobin' }).build([...near, ...far]);
  for (let i = 0; i < 10; i++) assert.ok(far.includes(pick({})));
});

test('overProvision below 1 is refused with the value received', () => {
  assert.throws(() => zoneFirst({ zone: 'a', overProvision: 0.5 }), {
    name: 'RangeError',
    message: 'overProvision: a number from 1, got 0.5',
  });
});
