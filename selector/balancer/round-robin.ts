import type { Balancer } from '../balancer.js';
import type { LiveNode } from '../live-node.js';
import { activeNodes } from '../weight.js';

export type RoundRobinOptions = {
  /** A number from 0 up to but without 1. @default Math.random */
  random?: () => number;
};

/** A node's place in the queue: the lower the turn, the sooner its next call. */
type Place = { readonly live: LiveNode; turn: number };

/**
 * One call to each node in turn; a node of weight 0 is drained.
 *
 * The turn of a node is when it had its last call, and outlives the set: after a change the longest waiting node is
 * next, so that two nodes that stay never differ by more than one call, however often the others come and go. A new
 * node starts at a random place, so that many clients neither meet at one node nor all rush to a fresh one.
 */
export function roundRobin({ random = Math.random }: RoundRobinOptions = {}): Balancer {
  const places = new WeakMap<LiveNode, Place>();
  // A property: V8 would allocate for a captured variable beyond 2^31.
  const calls = { count: 0 };
  return {
    name: 'roundRobin',
    build(nodes) {
      const queue = enqueue(
        activeNodes(nodes).map(({ live }) => live),
        places,
        calls.count,
        random,
      );
      let next = 0;
      return () => {
        const place = queue[next]!;
        next = next + 1 === queue.length ? 0 : next + 1;
        place.turn = ++calls.count;
        return place.live;
      };
    },
  };
}

function enqueue(
  nodes: readonly LiveNode[],
  places: WeakMap<LiveNode, Place>,
  now: number,
  random: () => number,
): readonly Place[] {
  let oldest = now;
  for (const live of nodes) oldest = Math.min(oldest, places.get(live)?.turn ?? now);
  const queue = nodes.map((live) => {
    const known = places.get(live);
    if (known) return known;
    // Never before the longest waiting one: a stream of new nodes must not hold it back.
    const place: Place = { live, turn: oldest + random() * (now - oldest + 1) };
    places.set(live, place);
    return place;
  });
  return queue.sort((a, b) => a.turn - b.turn);
}
