import type { Balancer } from '../balancer.js';
import type { LiveNode } from '../live-node.js';
import { activeNodes, type Weighted } from '../weight.js';

export type WeightedRoundRobinOptions = {
  /** A number from 0 up to but without 1. @default Math.random */
  random?: () => number;
};

/** What a node has coming to it: `credit` over `total` is the number of calls that it is behind its share. */
type Account = { readonly live: LiveNode; weight: number; credit: number; total: number };

/**
 * Calls in proportion to the nodes' weights, as evenly spread over time as can be: weights 5, 1, 1 give a a b a c a a.
 * A node of weight 0 is drained. A pick looks at every node.
 *
 * Smooth weighted round robin, from nginx (Igor Sysoev, commit 52327e0627f4, 2012): at every pick each node gains its
 * weight, and the richest is chosen and pays the sum of all weights. The accounts outlive the set, so that a change
 * of it neither forgives nor repeats a call; a new node starts up to half a call ahead or behind, so that many
 * clients do not begin with the same node.
 */
export function weightedRoundRobin({ random = Math.random }: WeightedRoundRobinOptions = {}): Balancer {
  const accounts = new WeakMap<LiveNode, Account>();
  return {
    name: 'weightedRoundRobin',
    build(nodes) {
      const active = activeNodes(nodes);
      let total = 0;
      for (const { weight } of active) total += weight;
      const set = active.map((node) => enter(accounts, node, total, random));
      return () => {
        let best = set[0]!;
        for (let i = 0; i < set.length; i++) {
          const account = set[i]!;
          account.credit += account.weight;
          if (account.credit > best.credit) best = account;
        }
        best.credit -= total;
        return best.live;
      };
    },
  };
}

function enter(
  accounts: WeakMap<LiveNode, Account>,
  { live, weight }: Weighted,
  total: number,
  random: () => number,
): Account {
  let account = accounts.get(live);
  if (account) {
    // The calls it is behind stay the same when they are counted in the weights of another set.
    account.credit *= total / account.total;
  } else {
    account = { live, weight, credit: (random() - 0.5) * total, total };
    accounts.set(live, account);
  }
  account.weight = weight;
  account.total = total;
  return account;
}
