import { RpcError, textOf } from '../rpc/error.js';
import { Status } from '../rpc/status.js';
import type { Balancer, Pick, PickContext } from './balancer.js';
import { ListedNode } from './listed-node.js';
import type { LiveNode } from './live-node.js';
import type { NodeLoad } from './load.js';
import type { Node } from './node.js';

/** The nodes of one service, and the pick among them. */
export class ServiceNodes {
  #balancer: Balancer;
  readonly #loadOf: (address: string) => NodeLoad;
  #byAddress = new Map<string, ListedNode>();
  #pick: Pick | undefined;

  constructor(balancer: Balancer, loadOf: (address: string) => NodeLoad) {
    this.#balancer = balancer;
    this.#loadOf = loadOf;
  }

  get addresses(): IterableIterator<string> {
    return this.#byAddress.keys();
  }

  has(address: string): boolean {
    return this.#byAddress.has(address);
  }

  get nodes(): readonly LiveNode[] {
    return [...this.#byAddress.values()];
  }

  /** Takes the complete new set. Nodes that stay keep their object; of two with one address the first counts. */
  replace(nodes: readonly Node[]): void {
    const next = new Map<string, ListedNode>();
    for (const node of nodes) {
      if (next.has(node.address)) continue;
      const known = this.#byAddress.get(node.address);
      if (known) known.node = node;
      next.set(node.address, known ?? new ListedNode(node, this.#loadOf(node.address)));
    }
    this.#byAddress = next;
    this.rebuild();
  }

  setBalancer(balancer: Balancer): void {
    this.#balancer = balancer;
    this.rebuild();
  }

  /** Nodes that cannot be reached are left out, unless all of them are: then any may have come back. */
  rebuild(): void {
    const all = [...this.#byAddress.values()];
    const reachable = all.filter((node) => node.reachable);
    const candidates = reachable.length > 0 ? reachable : all;
    if (candidates.length === 0) {
      this.#pick = undefined;
      return;
    }
    try {
      const pick = this.#balancer.build(candidates);
      if (typeof pick !== 'function') throw new TypeError(`build() gave ${textOf(pick)} and no function`);
      this.#pick = pick;
    } catch (reason) {
      this.#pick = () => {
        throw this.#broken(reason);
      };
    }
  }

  /** Undefined when no node is known. */
  pick(context: PickContext): ListedNode | undefined {
    if (!this.#pick) return undefined;
    let node: LiveNode;
    try {
      node = this.#pick(context);
    } catch (reason) {
      throw this.#broken(reason);
    }
    if (node instanceof ListedNode) return node;
    throw this.#broken(new TypeError(`it picked ${textOf(node)}, which is not one of its nodes`));
  }

  #broken(reason: unknown): RpcError {
    if (reason instanceof RpcError) return reason;
    return new RpcError(Status.INTERNAL, `the balancer ${this.#balancer.name} failed: ${textOf(reason)}`, {
      cause: reason,
      maybeExecuted: false,
    });
  }
}
