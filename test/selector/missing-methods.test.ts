import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RpcError, Status, silentLogger } from 'lictor';
import { Metadata } from '../../rpc/metadata.js';
import { NOT_EXECUTED, receivedError } from '../../rpc/not-executed.js';
import type { Method, MethodKind } from '../../rpc/service.js';
import { roundRobin } from '../../selector/balancer/round-robin.js';
import { checkEjection } from '../../selector/ejection.js';
import type { ListedNode } from '../../selector/listed-node.js';
import { NodeLoad } from '../../selector/load.js';
import { createNode } from '../../selector/node.js';
import { balancerAlone } from '../../selector/pick-rules.js';
import { ServiceNodes } from '../../selector/service-nodes.js';

const OLD = '/shop.Cart/Old';
const NEW = '/shop.Cart/New';

const marked = () => receivedError(Status.UNIMPLEMENTED, 'no', new Metadata().set(NOT_EXECUTED, '1'), false);
const unmarked = () => new RpcError(Status.UNIMPLEMENTED, 'no');
const failed = () => new RpcError(Status.INTERNAL, 'ill');

function nodesOf(count: number, isEjecting = true) {
  const time = { now: 1_000 };
  const loads = new Map<string, NodeLoad>();
  const service = new ServiceNodes({
    service: 'shop.Cart',
    balancer: roundRobin({ random: () => 0 }),
    rules: { ...balancerAlone, ejection: checkEjection(isEjecting ? {} : false) },
    logger: silentLogger,
    loadOf(address) {
      const load = loads.get(address) ?? new NodeLoad(address);
      loads.set(address, load);
      return load;
    },
    random: () => 0.5,
    now: () => time.now,
  });
  service.replace(Array.from({ length: count }, (_, i) => createNode({ address: `10.0.0.1:${i + 1}` })));
  const { nodes } = service;
  return {
    ...{ service, nodes, time },
    call(node: ListedNode, path: string, error?: RpcError, times = 1, kind: MethodKind = 'unary') {
      for (let i = 0; i < times; i++) {
        node.began();
        node.ended(error, time.now, time.now + 1, { path, kind, idempotent: false } as Method);
      }
    },
    /** The nodes that calls of a method go to. */
    picked: (path: string) =>
      new Set(
        Array.from({ length: 3 * count }, () => nodes.indexOf(service.pick({}, time.now, undefined, path)!)),
      ),
    reconnect(node: ListedNode) {
      for (const reachable of [false, true]) {
        node.load.reachable = reachable;
        service.reachableChanged(node.load.address);
      }
    },
  };
}
const ALL = new Set([0, 1, 2]);
const OTHERS = new Set([1, 2]);

describe('UNIMPLEMENTED', () => {
  for (const [name, error] of [
    ['marked', marked],
    ['unmarked', unmarked],
  ] as const) {
    test(`${name}: a node with a call that went well within the window is not left out`, () => {
      const it = nodesOf(3);
      it.call(it.nodes[0]!, OLD);
      it.call(it.nodes[0]!, NEW, error(), 50);
      assert.deepEqual(it.picked(OLD), ALL);
      it.time.now += 9_000;
      it.call(it.nodes[0]!, NEW, error(), 50);
      assert.deepEqual(it.picked(OLD), ALL);
    });

    test(`${name}: one that answers so to all calls is out after five`, () => {
      const it = nodesOf(3);
      it.call(it.nodes[0]!, NEW, error(), 4);
      assert.deepEqual(it.picked(OLD), ALL);
      it.call(it.nodes[0]!, NEW, error());
      assert.deepEqual(it.picked(OLD), OTHERS);
    });

    test(`${name}: calls that went well before the connection was made anew, or the window, do not count`, () => {
      for (const later of ['reconnected', 'waited']) {
        const it = nodesOf(3);
        it.call(it.nodes[0]!, OLD);
        if (later === 'reconnected') it.reconnect(it.nodes[0]!);
        else it.time.now += 10_001;
        it.call(it.nodes[0]!, NEW, error(), 5);
        assert.deepEqual(it.picked(OLD), OTHERS, later);
      }
    });

    test(`${name}: it is no part of the share of calls that fail`, () => {
      const it = nodesOf(3);
      for (let i = 0; i < 40; i++) {
        it.call(it.nodes[0]!, OLD);
        it.call(it.nodes[0]!, NEW, error(), 3);
      }
      it.call(it.nodes[0]!, OLD, failed());
      assert.deepEqual(it.picked(OLD), ALL);
    });
  }

  test('of this side says nothing of the node', () => {
    const it = nodesOf(3);
    const own = new RpcError(Status.UNIMPLEMENTED, 'cannot be sent', { maybeExecuted: false });
    it.call(it.nodes[0]!, NEW, own, 20);
    assert.deepEqual([it.picked(OLD), it.picked(NEW)], [ALL, ALL]);
  });

  test('does not hide that the node fails', () => {
    const it = nodesOf(3);
    it.call(it.nodes[0]!, OLD);
    for (let i = 0; i < 5; i++) {
      it.call(it.nodes[0]!, NEW, marked());
      it.call(it.nodes[0]!, OLD, failed());
    }
    assert.deepEqual(it.picked(OLD), OTHERS);
  });
});

describe('a node that has said that it lacks a method', () => {
  const lacking = (isEjecting = true) => {
    const it = nodesOf(3, isEjecting);
    if (isEjecting) it.call(it.nodes[0]!, OLD);
    it.call(it.nodes[0]!, NEW, marked());
    return it;
  };

  test('is not picked for it for a second, and is for others', () => {
    for (const isEjecting of [true, false]) {
      const it = lacking(isEjecting);
      assert.deepEqual([it.picked(NEW), it.picked(OLD)], [OTHERS, ALL]);
      it.time.now += 999;
      assert.deepEqual(it.picked(NEW), OTHERS);
      it.time.now += 2;
      assert.deepEqual(it.picked(NEW), ALL);
    }
  });

  test('is not picked for it for a minute when its calls cannot be sent again', () => {
    for (const kind of ['clientStream', 'bidi'] as const) {
      const it = nodesOf(3);
      it.call(it.nodes[0]!, OLD);
      it.call(it.nodes[0]!, NEW, marked(), 1, kind);
      it.time.now += 59_999;
      assert.deepEqual([it.picked(NEW), it.picked(OLD)], [OTHERS, ALL]);
      it.time.now += 2;
      assert.deepEqual(it.picked(NEW), ALL);
    }
  });

  test('is picked for it again at once when its connection stands anew', () => {
    const it = lacking();
    it.reconnect(it.nodes[0]!);
    assert.deepEqual(it.picked(NEW), ALL);
  });

  test('is picked for it when all have said so', () => {
    const it = lacking();
    for (const node of it.nodes) {
      it.call(node, OLD);
      it.call(node, NEW, marked());
    }
    assert.deepEqual(it.picked(NEW), ALL);
  });

  test('is forgotten when it is not listed any more', () => {
    const it = lacking();
    it.service.replace(it.nodes.slice(1).map(({ node }) => node));
    it.service.replace(it.nodes.map(({ node }) => node));
    const again = it.service.nodes.map((node) => it.service.lacks(node, NEW, it.time.now));
    assert.deepEqual(again, [false, false, false]);
  });

  test('is not remembered when the call ends after its node has left the list', () => {
    const it = lacking();
    const [node] = it.nodes as [ListedNode];
    it.service.replace(it.nodes.slice(1).map(({ node }) => node));
    it.call(node, OLD);
    it.call(node, NEW, marked());
    assert.equal(it.service.lacks(node, NEW, it.time.now), false);
  });

  test('and fails is tried with another method, and does not stay out longer for it', () => {
    const it = nodesOf(3);
    const [node] = it.nodes as [ListedNode];
    it.call(node, OLD, failed(), 5);
    assert.deepEqual(it.picked(OLD), OTHERS);
    for (let trial = 0; trial < 3; trial++) {
      it.time.now += 5_001;
      assert.equal(it.service.pick({}, it.time.now, undefined, NEW), node);
      it.call(node, NEW, marked());
    }
    it.time.now += 5_001;
    assert.equal(it.service.pick({}, it.time.now, undefined, OLD), node);
    it.call(node, OLD);
    assert.deepEqual(it.picked(OLD), ALL);
  });
});
