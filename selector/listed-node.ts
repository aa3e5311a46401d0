import type { LiveNode } from './live-node.js';
import type { NodeLoad } from './load.js';
import type { Node } from './node.js';

/** A node of a service's list with its load: what a balancer sees, and what a call is counted on. */
export class ListedNode implements LiveNode {
  node: Node;
  readonly load: NodeLoad;
  latencyMs = 0;
  latencyAt = 0;

  constructor(node: Node, load: NodeLoad) {
    this.node = node;
    this.load = load;
  }

  get inFlight(): number {
    return this.load.inFlight;
  }

  get reachable(): boolean {
    return this.load.reachable;
  }
}
