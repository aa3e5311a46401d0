import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RpcError } from '../../rpc/error.js';
import { silentLogger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { roundRobin } from '../../selector/balancer/round-robin.js';
import { checkEjection, type EjectionOptions, FailureRecord } from '../../selector/ejection.js';
import type { ListedNode } from '../../selector/listed-node.js';
import { NodeLoad } from '../../selector/load.js';
import { createNode } from '../../selector/node.js';
import { balancerAlone, type PickRules } from '../../selector/pick-rules.js';
import { ServiceNodes } from '../../selector/service-nodes.js';

const failed = new RpcError(Status.UNAVAILABLE, 'broken');
const rules = checkEjection({})!;

/** Nodes at ports from 1, in a time of the test's own. */
function nodesOf(
  count: number,
  ejection: EjectionOptions | false = {},
  more: Partial<PickRules> & { random?: () => number } = {},
) {
  const { random = () => 0.5, ...rules } = more;
  const time = { now: 1_000 };
  const loads = new Map<string, NodeLoad>();
  const loadOf = (address: string) => {
    const load = loads.get(address) ?? new NodeLoad(address);
    loads.set(address, load);
    return load;
  };
  const service = new ServiceNodes({
    service: 'shop.Cart',
    balancer: roundRobin({ random: () => 0 }),
    rules: { ...balancerAlone, ejection: checkEjection(ejection), ...rules },
    logger: silentLogger,
    loadOf,
    random,
    now: () => time.now,
  });
  service.replace(Array.from({ length: count }, (_, i) => createNode({ address: `10.0.0.1:${i + 1}` })));
  const call = (node: ListedNode, error?: RpcError) => {
    node.began();
    node.ended(error, time.now, time.now + 1);
  };
  const next = () => service.pick({}, time.now)!;
  /** The addresses that `calls` picks in a row go to, each call ended well. */
  const goTo = (calls: number) => {
    const seen = new Set<ListedNode>();
    for (let i = 0; i < calls; i++) {
      const node = next();
      seen.add(node);
      call(node);
    }
    return seen;
  };
  return { service, nodes: service.nodes, time, call, next, goTo, loads };
}

describe('a node is left out', () => {
  test('after five failures in a row, for the base time, and not before', () => {
    const it = nodesOf(4);
    const [bad] = it.nodes;
    for (let i = 0; i < 4; i++) it.call(bad!, failed);
    assert.ok(it.goTo(8).has(bad!));
    for (let i = 0; i < 5; i++) it.call(bad!, failed);
    assert.ok(!it.goTo(20).has(bad!));
    it.time.now += 4_990;
    assert.ok(!it.goTo(20).has(bad!));
  });

  test('when half of at least twenty calls within the window fail', () => {
    const record = new FailureRecord();
    let out = false;
    for (let i = 0; i < 9; i++) {
      record.succeeded(rules, i);
      out ||= record.failed(rules, i);
    }
    record.succeeded(rules, 10);
    assert.ok(!out);
    assert.ok(record.failed(rules, 11));
  });

  test('not for failures that are older than the window', () => {
    const record = new FailureRecord();
    for (let i = 0; i < 10; i++) {
      record.failed(rules, 0);
      record.succeeded(rules, 0);
    }
    for (let i = 0; i < 30; i++) record.succeeded(rules, 10_001);
    assert.ok(!record.failed(rules, 10_002));
  });

  test('for deadlines that pass, and not for what it answers, refuses, or what its caller gives up', () => {
    for (const [code, isOut, maybeExecuted] of [
      [Status.DEADLINE_EXCEEDED, true, true],
      [Status.INTERNAL, true, true],
      [Status.UNIMPLEMENTED, true, true],
      [Status.NOT_FOUND, false, true],
      [Status.CANCELLED, false, true],
      [Status.RESOURCE_EXHAUSTED, false, true],
      [Status.UNAVAILABLE, false, false],
    ] as const) {
      const it = nodesOf(4);
      for (let i = 0; i < 5; i++) it.call(it.nodes[0]!, new RpcError(code, 'x', { maybeExecuted }));
      assert.equal(!it.goTo(20).has(it.nodes[0]!), isOut, `code ${code}`);
    }
  });

  test('never more than half of those that can be reached, and never the only one', () => {
    for (const [count, out] of [
      [1, 0],
      [2, 1],
      [3, 1],
      [10, 5],
    ] as const) {
      const it = nodesOf(count);
      for (const node of it.nodes) for (let i = 0; i < 6; i++) it.call(node, failed);
      assert.equal(it.goTo(count * 3).size, count - out, `${count} nodes`);
    }
  });

  test('and not at all with `ejection: false`', () => {
    const it = nodesOf(2, false);
    for (let i = 0; i < 50; i++) it.call(it.nodes[0]!, failed);
    assert.equal(it.goTo(10).size, 2);
  });
});

describe('a node that is out', () => {
  const ejected = (count = 4) => {
    const it = nodesOf(count);
    for (let i = 0; i < 5; i++) it.call(it.nodes[0]!, failed);
    it.time.now += 5_010;
    return it;
  };

  test('F55: gets one call on trial, and no second one while that goes on', () => {
    const it = ejected();
    const [bad] = it.nodes;
    assert.equal(it.next(), bad);
    bad!.began();
    assert.ok(!it.goTo(20).has(bad!));
  });

  test('is back when its trial succeeds', () => {
    const it = ejected();
    assert.equal(it.next(), it.nodes[0]);
    it.call(it.nodes[0]!);
    assert.ok(it.goTo(8).has(it.nodes[0]!));
  });

  test('stays out for longer each time its trial fails, up to the longest', () => {
    const it = ejected();
    const [bad] = it.nodes;
    for (const seconds of [10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 60, 60]) {
      assert.equal(it.next(), bad, `trial before ${seconds} s`);
      it.call(bad!, failed);
      it.time.now += seconds * 1_000 - 10;
      assert.ok(!it.goTo(4).has(bad!), `${seconds} s`);
      it.time.now += 20;
    }
  });

  test('is tried again at once when the caller gives the trial up', () => {
    const it = ejected();
    assert.equal(it.next(), it.nodes[0]);
    it.call(it.nodes[0]!, new RpcError(Status.CANCELLED, 'enough'));
    it.time.now += 1;
    assert.equal(it.next(), it.nodes[0]);
  });

  test('is not brought back by calls from before', () => {
    const it = nodesOf(4);
    const [bad] = it.nodes;
    bad!.began();
    for (let i = 0; i < 5; i++) it.call(bad!, failed);
    bad!.ended(undefined, 900, it.time.now);
    assert.ok(!it.goTo(20).has(bad!));
  });

  test('is tried at once when its connection stands anew', () => {
    const it = nodesOf(4);
    const [bad] = it.nodes;
    for (let i = 0; i < 5; i++) it.call(bad!, failed);
    it.loads.get('10.0.0.1:1')!.reachable = false;
    it.service.reachableChanged('10.0.0.1:1');
    it.loads.get('10.0.0.1:1')!.reachable = true;
    it.service.reachableChanged('10.0.0.1:1');
    it.time.now += 1;
    assert.equal(it.next(), bad);
  });

  test('is used when no other can be reached', () => {
    const it = nodesOf(2);
    for (let i = 0; i < 5; i++) it.call(it.nodes[0]!, failed);
    it.loads.get('10.0.0.1:2')!.reachable = false;
    it.service.reachableChanged('10.0.0.1:2');
    assert.equal(it.next(), it.nodes[0]);
  });

  test('is explained', () => {
    const it = nodesOf(2);
    for (let i = 0; i < 5; i++) it.call(it.nodes[0]!, failed);
    assert.deepEqual(it.service.explain(it.nodes[0]!, {}, it.time.now), {
      eligible: false,
      reason: 'its calls failed; it gets one on trial in 5.1 s',
    });
    assert.deepEqual(it.service.explain(it.nodes[1]!, {}, it.time.now), {
      eligible: true,
      reason: 'it is well',
    });
  });
});

describe('a fresh node', () => {
  test('takes a tenth of its share at first, and all of it after the slow start', () => {
    const it = nodesOf(1, {}, { slowStartMs: 5_000 });
    it.service.replace([createNode({ address: '10.0.0.1:1' }), createNode({ address: '10.0.0.1:2' })]);
    const fresh = it.service.nodes[1]!;
    // The test's random number is 0.5.
    it.time.now = fresh.freshSince! + 2_000;
    assert.ok(!it.goTo(20).has(fresh));
    it.time.now = fresh.freshSince! + 2_600;
    assert.ok(it.goTo(20).has(fresh));
  });

  test('has no more than its share with a balancer that prefers it, and has had no call yet', () => {
    const random = [0, 0.4, 0.8];
    let draws = 0;
    const it = nodesOf(1, {}, { slowStartMs: 5_000, random: () => random[draws++ % random.length]! });
    it.service.replace([createNode({ address: '10.0.0.1:1' }), createNode({ address: '10.0.0.1:2' })]);
    const fresh = it.service.nodes[1]!;
    it.service.setBalancer({ name: 'always the fresh one', build: (nodes) => () => nodes[1]! });
    it.time.now = fresh.freshSince! + 1_000;
    const picked = Array.from({ length: 30 }, it.next).filter((node) => node === fresh);
    assert.ok(picked.length > 0 && picked.length <= 15, `${picked.length} of 30`);
  });

  test('is measured anew when its connection stands anew', () => {
    const it = nodesOf(2, {}, { slowStartMs: 5_000 });
    const [node] = it.nodes as [ListedNode, ListedNode];
    node.began();
    node.ended(undefined, it.time.now - 2_500, it.time.now);
    assert.equal(node.latencyMs, 2_500);
    for (const reachable of [false, true]) {
      node.load.reachable = reachable;
      it.service.reachableChanged('10.0.0.1:1');
    }
    assert.equal(node.latencyMs, 0);
  });

  test('is no matter for calls with a key, nor in the first list', () => {
    const it = nodesOf(2, {}, { slowStartMs: 5_000 });
    assert.equal(it.goTo(4).size, 2);
    it.service.replace([createNode({ address: '10.0.0.1:3' }), createNode({ address: '10.0.0.1:4' })]);
    assert.notEqual(it.service.pick({ hashKey: 'k' }, it.time.now), undefined);
  });
});

describe('a full node', () => {
  test('is passed over, and a call fails when all are full', () => {
    const it = nodesOf(3, {}, { maxInFlightPerNode: 2 });
    for (let i = 0; i < 6; i++) it.next().began();
    assert.deepEqual(
      it.nodes.map((node) => node.inFlight),
      [2, 2, 2],
    );
    assert.throws(it.next, {
      code: Status.RESOURCE_EXHAUSTED,
      maybeExecuted: false,
      details: 'all 3 nodes of shop.Cart have 2 calls in flight (maxInFlightPerNode)',
    });
    it.nodes[1]!.ended(undefined, it.time.now, it.time.now);
    assert.equal(it.next(), it.nodes[1]);
  });

  test('of a service likewise', () => {
    const it = nodesOf(3, {}, { maxInFlight: 2 });
    it.next().began();
    it.next().began();
    assert.throws(it.next, {
      code: Status.RESOURCE_EXHAUSTED,
      details: 'shop.Cart has 2 calls in flight already (maxInFlight)',
    });
  });
});

test('a node that has had the call is not picked again while there are others', () => {
  const it = nodesOf(3);
  const tried = [it.nodes[0]!, it.nodes[1]!];
  for (let i = 0; i < 10; i++) assert.equal(it.service.pick({}, it.time.now, tried), it.nodes[2]);
  assert.ok(it.service.pick({}, it.time.now, it.nodes));
});

test('throttled calls are held back in the measure in which a service fails', () => {
  const it = nodesOf(2, false, { throttle: 2 });
  for (let i = 0; i < 100; i++) it.call(it.nodes[0]!, failed);
  assert.throws(it.next, { code: Status.UNAVAILABLE, maybeExecuted: false });
  for (let i = 0; i < 200; i++) it.call(it.nodes[0]!);
  assert.ok(it.next());
});

test('latency takes peaks at once, fades, and does not fall by what fails fast', () => {
  const it = nodesOf(1, false);
  const [node] = it.nodes;
  const took = (ms: number, error?: RpcError) => {
    node!.began();
    node!.ended(error, it.time.now, it.time.now + ms);
    it.time.now += ms;
  };
  took(10);
  assert.equal(node!.latencyMs, 10);
  took(100);
  assert.equal(node!.latencyMs, 100);
  for (let i = 0; i < 100; i++) took(1, failed);
  assert.equal(node!.latencyMs, 100);
  for (let i = 0; i < 1_000; i++) took(20);
  assert.ok(node!.latencyMs < 40 && node!.latencyMs > 20, `${node!.latencyMs}`);
});

test('what is wrong in the options is named', () => {
  for (const [options, message] of [
    [{ consecutive: 0 }, 'ejection.consecutive: a number from 1, got 0'],
    [{ failureShare: 2 }, 'ejection.failureShare: above 0 and up to 1, got 2'],
    [{ base: 1 }, /^ejection\.base: unknown, there are consecutive, /],
  ] as const) {
    assert.throws(() => checkEjection(options as EjectionOptions), { name: 'RangeError', message });
  }
});
