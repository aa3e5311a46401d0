import type { Deadline } from '../rpc/deadline.js';
import { remainingMs } from '../rpc/deadline.js';
import type { Logger } from '../rpc/log.js';
import { checkServiceName } from '../rpc/name.js';
import type { Balancer, PickContext } from './balancer.js';
import type { EmptyListPolicy, Link } from './list-guard.js';
import type { ListedNode } from './listed-node.js';
import type { LiveNode } from './live-node.js';
import { NodeLoad } from './load.js';
import type { Resolver } from './resolver.js';
import { ServiceNodes } from './service-nodes.js';
import { SharedWatch, type WatchState } from './shared-watch.js';

export type SelectorOptions = {
  readonly resolver: Resolver;
  readonly balancer: Balancer;
  readonly logger: Logger;
  readonly emptyListPolicy: EmptyListPolicy;
  readonly emptyListGraceMs: number;
  /** Whether there is a connection to an address, be it up or down. */
  readonly isOpen: (address: string) => boolean;
  /** Told when no service lists an address any more. */
  readonly onGone: (address: string) => void;
};

/** Joins resolver and balancer: from a service's name to the node for one call. */
export class Selector {
  readonly #options: SelectorOptions;
  #balancer: Balancer;
  readonly #services = new Map<string, ServiceSelector>();
  readonly #loads = new Map<string, NodeLoad>();

  constructor(options: SelectorOptions) {
    this.#options = options;
    this.#balancer = options.balancer;
  }

  /** Picks with another balancer from now on. */
  setBalancer(balancer: Balancer): void {
    this.#balancer = balancer;
    for (const { nodes } of this.#services.values()) nodes.setBalancer(balancer);
  }

  /**
   * The selector of one service; its watch starts here and is shared by all who ask.
   * @throws RpcError INVALID_ARGUMENT for a name that no service can have, before anything is asked
   */
  service(name: string): ServiceSelector {
    const known = this.#services.get(name);
    if (known) return known;
    const nodes = new ServiceNodes(this.#balancer, (address) => this.#loadOf(address));
    const watch = new SharedWatch(checkServiceName(name), {
      ...this.#options,
      link: (address) => this.#linkTo(address),
      onNodes: (listed) => {
        const before = [...nodes.addresses];
        nodes.replace(listed);
        for (const address of before) this.#forgetIfGone(address);
      },
    });
    const service = new ServiceSelector(watch, nodes);
    this.#services.set(name, service);
    return service;
  }

  /** Told by connections: a node that cannot be reached is left out of the picks until it can. */
  setReachable(address: string, reachable: boolean): void {
    const load = this.#loads.get(address);
    if (!load || load.reachable === reachable) return;
    load.reachable = reachable;
    for (const { nodes, watch } of this.#services.values()) {
      if (nodes.has(address)) nodes.rebuild();
      if (!reachable) watch.refused(address);
    }
  }

  /** What is known of a service; `pending` before its first call. */
  state(name: string): WatchState {
    return this.#services.get(name)?.state ?? { kind: 'pending' };
  }

  close(): void {
    for (const { watch } of this.#services.values()) watch.close();
    this.#services.clear();
  }

  #loadOf(address: string): NodeLoad {
    let load = this.#loads.get(address);
    if (!load) {
      load = new NodeLoad(address);
      this.#loads.set(address, load);
    }
    return load;
  }

  #linkTo(address: string): Link {
    if (!this.#options.isOpen(address)) return 'none';
    return this.#loads.get(address)?.reachable === false ? 'down' : 'up';
  }

  #forgetIfGone(address: string): void {
    for (const { nodes } of this.#services.values()) if (nodes.has(address)) return;
    this.#loads.delete(address);
    this.#options.onGone(address);
  }
}

/** The nodes of one service, ready to be picked from. */
export class ServiceSelector {
  readonly watch: SharedWatch;
  readonly nodes: ServiceNodes;

  constructor(watch: SharedWatch, nodes: ServiceNodes) {
    this.watch = watch;
    this.nodes = nodes;
  }

  /** The node for a call, or undefined when none is known (yet). Asks no registry. */
  select(context: PickContext): ListedNode | undefined {
    return this.nodes.pick(context);
  }

  /**
   * Waits for the first list, and then for nothing more.
   * @throws RpcError UNAVAILABLE without a node, naming where it was looked for; CANCELLED, DEADLINE_EXCEEDED
   */
  async selectWhenKnown(
    context: PickContext,
    deadline: Deadline | undefined,
    signal?: AbortSignal,
  ): Promise<ListedNode> {
    await this.watch.settled(remainingMs(deadline), signal);
    const node = this.nodes.pick(context);
    if (node) return node;
    throw this.watch.unavailable();
  }

  get state(): WatchState {
    return this.watch.state;
  }

  /** What is known now, for people and tools to look at. */
  get listed(): readonly LiveNode[] {
    return this.nodes.nodes;
  }
}
