import fc from 'fast-check';
import type { Pick } from '../../selector/balancer.js';
import type { LiveNode } from '../../selector/live-node.js';
import { liveNode } from './live-nodes.js';

/** Some calls, and then a change of the set. */
export type Step = {
  readonly calls: number;
  /** A node is replaced by a new one, joins, leaves for good, or loses its connection until another one does. */
  readonly change: 'replace' | 'join' | 'leave' | 'lose';
  readonly which: number;
};

export const restarts: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    calls: fc.nat(30),
    change: fc.constantFrom('replace', 'join', 'leave', 'lose'),
    which: fc.nat(),
  }),
  { minLength: 1, maxLength: 40 },
);

/** What one node got, and what its fair share was. */
export type Share = { calls: number; expected: number; variance: number; everPresent: boolean };

/** Plays the steps, with a rebuild at each, and keeps account of every node that was ever there. */
export function play(
  start: number,
  steps: readonly Step[],
  build: (nodes: readonly LiveNode[]) => Pick,
): readonly Share[] {
  const shares = new Map<LiveNode, Share>();
  let set: LiveNode[] = [];
  const enter = (everPresent: boolean): LiveNode => {
    const node = liveNode(`10.0.0.1:${shares.size + 1}`);
    shares.set(node, { calls: 0, expected: 0, variance: 0, everPresent });
    return node;
  };
  for (let i = 0; i < start; i++) set.push(enter(true));
  let lost: LiveNode | undefined;
  for (const { calls, change, which } of steps) {
    const pick = build(set);
    for (let i = 0; i < calls; i++) shares.get(pick({}))!.calls++;
    for (const node of set) {
      const share = shares.get(node)!;
      share.expected += calls / set.length;
      share.variance += (calls / set.length) * (1 - 1 / set.length);
    }
    const node = set[which % set.length]!;
    const others = set.filter((other) => other !== node);
    if (change === 'join') set = [...set, enter(false)];
    else {
      if (change !== 'replace' && others.length === 0) continue;
      shares.get(node)!.everPresent = false;
      if (change === 'replace') set = [enter(false), ...others];
      else if (change === 'leave') set = others;
      else {
        set = lost ? [...others, lost] : others;
        lost = node;
      }
    }
  }
  return [...shares.values()];
}
