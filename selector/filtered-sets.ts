import { RpcError } from '../rpc/error.js';
import type { NodeFilter } from '../rpc/node-filter.js';
import { Status } from '../rpc/status.js';
import type { Balancer } from './balancer.js';
import type { ListedNode } from './listed-node.js';
import { describeFilter, filterKey, matches } from './node-filter.js';
import { NodeSet } from './node-set.js';

/** More than a program has; a call's filter may come from outside. */
const MAX_FILTERS = 64;

/** The nodes of a service that the filters of its calls have chosen, each set made by the first call that wants it. */
export class FilteredSets {
  readonly #service: string;
  readonly #nodes: readonly ListedNode[];
  readonly #balancer: Balancer;
  readonly #sets = new Map<string, NodeSet>();

  constructor(service: string, nodes: readonly ListedNode[], balancer: Balancer) {
    this.#service = service;
    this.#nodes = nodes;
    this.#balancer = balancer;
  }

  /** @throws RpcError UNAVAILABLE when the filter leaves none */
  matching(filter: NodeFilter): NodeSet {
    const key = filterKey(filter);
    let set = this.#sets.get(key);
    if (!set) {
      if (this.#sets.size >= MAX_FILTERS) this.#sets.clear();
      set = new NodeSet(
        this.#nodes.filter(({ node }) => matches(filter, node)),
        this.#balancer,
      );
      this.#sets.set(key, set);
    }
    if (set.candidates.length > 0) return set;
    throw new RpcError(
      Status.UNAVAILABLE,
      `none of the ${this.#nodes.length} nodes of ${this.#service} has ${describeFilter(filter)}`,
      { maybeExecuted: false },
    );
  }
}
