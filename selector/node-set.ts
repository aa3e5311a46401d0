import { RpcError, textOf } from '../rpc/error.js';
import { Status } from '../rpc/status.js';
import type { Balancer, Pick } from './balancer.js';
import type { ListedNode } from './listed-node.js';

/** Nodes that may be picked, of a whole list or of those that a filter wants, with the balancer's pick among them. */
export class NodeSet {
  /**
   * Those that can be reached and are not ejected. Without any of these, those that can be reached; and without any of
   * those, all: one may have come back.
   */
  readonly candidates: readonly ListedNode[];
  readonly isReachable: boolean;
  /** @throws whatever the balancer throws */
  readonly pick: Pick;
  readonly #balancer: Balancer;

  constructor(listed: readonly ListedNode[], balancer: Balancer) {
    this.#balancer = balancer;
    const reachable = listed.filter((node) => node.reachable);
    const well = reachable.filter((node) => node.standing === 'in');
    this.isReachable = reachable.length > 0;
    this.candidates = well.length > 0 ? well : this.isReachable ? reachable : listed;
    this.pick = this.candidates.length > 0 ? this.#build(listed) : NONE;
  }

  /** The error of a balancer that threw `reason`, or made it necessary. */
  broken(reason: unknown): RpcError {
    if (reason instanceof RpcError) return reason;
    return new RpcError(Status.INTERNAL, `the balancer ${this.#balancer.name} failed: ${textOf(reason)}`, {
      cause: reason,
      maybeExecuted: false,
    });
  }

  #build(listed: readonly ListedNode[]): Pick {
    try {
      const pick = this.#balancer.build(this.candidates, listed);
      if (typeof pick === 'function') return pick;
      throw new TypeError(`build() gave ${textOf(pick)} and no function`);
    } catch (reason) {
      return () => {
        throw this.broken(reason);
      };
    }
  }
}

const NONE: Pick = () => {
  throw new RangeError('there is no node');
};
