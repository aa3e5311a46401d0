import type { LiveNode } from './live-node.js';

/** What a balancer may know of the call that it picks for. */
export interface PickContext {
  /** The call's `hashKey`. */
  readonly hashKey?: string | undefined;
}

/** Picks one node for one call: synchronous, without I/O or timers, and it never fails. */
export type Pick = (context: PickContext) => LiveNode;

/**
 * A policy of choosing. A custom one is a value of this type:
 *
 *     const first: Balancer = { name: 'first', build: (nodes) => () => nodes[0]! };
 */
export interface Balancer {
  readonly name: string;
  /**
   * Called for each new set of nodes that may be picked: on changes of the registry's list, and when a node loses or
   * regains its connection. `nodes` is never empty and must not be changed. Load lives in the nodes, and they outlive
   * the set; a balancer keeps only its own position.
   */
  build(nodes: readonly LiveNode[]): Pick;
}
