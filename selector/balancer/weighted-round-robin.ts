import type { Balancer } from '../balancer.js';
import type { LiveNode } from '../live-node.js';
import { activeNodes, type Weighted } from '../weight.js';

export type WeightedRoundRobinOptions = {
  /** A number from 0 up to but without 1. @default Math.random */
  random?: () => number;
};

/** When a node is due, on a clock that moves by a call's share of the weights; `due` and `weight` outlive the set. */
type Turn = { readonly live: LiveNode; weight: number; due: number };

/** Nodes of one weight: whoever has had a call is due after all the others, so they take turns in a circle. */
type Circle = { readonly turns: readonly Turn[]; next: number; due: number };

/**
 * Calls in proportion to the nodes' weights, evenly spread over time: a node of weight w is due each 1/w, and whoever is
 * due first has the call. A node of weight 0 is drained. A pick costs the logarithm of the number of different weights.
 *
 * The turns outlive the set, so that a change of it neither forgives nor repeats a call. A new node is due at a random
 * moment of its first round, so that many clients do not begin with the same node.
 *
 * (Earliest deadline first, as in Envoy's `edf_scheduler.h`. The weighted round robin of nginx spreads a little more
 * evenly, and looks at every node for it.)
 */
export function weightedRoundRobin({ random = Math.random }: WeightedRoundRobinOptions = {}): Balancer {
  const turns = new WeakMap<LiveNode, Turn>();
  const clock = { now: 0 };
  return {
    name: 'weightedRoundRobin',
    build(nodes) {
      const heap = circles(activeNodes(nodes).map((node) => enter(turns, node, clock.now, random)));
      return () => {
        const circle = heap[0]!;
        const turn = circle.turns[circle.next]!;
        // An earlier set, whose pick is still in use, may be behind.
        if (turn.due > clock.now) clock.now = turn.due;
        turn.due += 1 / turn.weight;
        circle.next = circle.next + 1 === circle.turns.length ? 0 : circle.next + 1;
        circle.due = circle.turns[circle.next]!.due;
        sink(heap);
        return turn.live;
      };
    },
  };
}

/** A heap of them. */
function circles(turns: readonly Turn[]): Circle[] {
  const byWeight = new Map<number, Turn[]>();
  for (const turn of turns.toSorted((a, b) => a.due - b.due)) {
    const alike = byWeight.get(turn.weight);
    if (alike) alike.push(turn);
    else byWeight.set(turn.weight, [turn]);
  }
  // Those that are due first come first, so this is a heap.
  return Array.from(byWeight.values(), (alike) => ({ turns: alike, next: 0, due: alike[0]!.due }));
}

function enter(
  turns: WeakMap<LiveNode, Turn>,
  { live, weight }: Weighted,
  now: number,
  random: () => number,
): Turn {
  const known = turns.get(live);
  if (!known) {
    const turn = { live, weight, due: now + random() / weight };
    turns.set(live, turn);
    return turn;
  }
  // As much of its round is left as before; of one that was away no more than a round.
  const left = Math.max(0, known.due - now) * known.weight;
  known.due = now + Math.min(left, 1) / weight;
  known.weight = weight;
  return known;
}

/** Lets the first entry of a heap sink to its place. */
function sink(heap: Circle[]): void {
  const first = heap[0]!;
  const { length } = heap;
  let place = 0;
  for (;;) {
    let child = 2 * place + 1;
    if (child >= length) break;
    if (child + 1 < length && heap[child + 1]!.due < heap[child]!.due) child++;
    if (heap[child]!.due >= first.due) break;
    heap[place] = heap[child]!;
    place = child;
  }
  heap[place] = first;
}
