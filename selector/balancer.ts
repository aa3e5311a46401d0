import type { LiveNode } from './live-node.js';

/** What a balancer may know of the call that it picks for. */
export interface PickContext {
  /** The call's `hashKey`. */
  readonly hashKey?: string | undefined;
}

/**
 * Picks one node for one call: synchronous, without I/O or timers, and it never fails.
 * @param now the time of the call, for those that weigh how old a figure is @default performance.now()
 */
export type Pick = (call: PickContext, now?: number) => LiveNode;

/**
 * A policy of choosing. A custom one is a value of this type:
 *
 *     const first: Balancer = { name: 'first', build: (nodes) => () => nodes[0]! };
 */
export interface Balancer {
  readonly name: string;
  /**
   * Called for each new set of nodes that may be picked: on changes of the registry's list, and when a node loses or
   * regains its connection, or is ejected or back. It may cost work that is linear in the nodes. `nodes` is never empty
   * and must not be changed. Load lives in the nodes, and they outlive the set; a balancer keeps only its own position.
   * @param listed all nodes of the list, also those that cannot be picked now, for policies that ask how much of a part
   * of the set is left, such as zones @default nodes
   */
  build(nodes: readonly LiveNode[], listed?: readonly LiveNode[]): Pick;
}
