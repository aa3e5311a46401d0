import { outsideCalls } from '../rpc/async-context.js';
import type { Deadline } from '../rpc/deadline.js';
import { deadlineExceeded, remainingMs } from '../rpc/deadline.js';
import type { Logger } from '../rpc/log.js';
import { checkServiceName } from '../rpc/name.js';
import type { Balancer } from './balancer.js';
import type { Explanation } from './explanation.js';
import type { EmptyListPolicy, Link } from './list-guard.js';
import type { ListedNode } from './listed-node.js';
import type { LiveNode } from './live-node.js';
import { NodeLoad } from './load.js';
import type { Node } from './node.js';
import type { PickRules } from './pick-rules.js';
import type { Resolver } from './resolver.js';
import { type Selection, ServiceNodes } from './service-nodes.js';
import { SharedWatch, type WatchState } from './shared-watch.js';
import { waitFor } from './wait.js';

export type SelectorOptions = {
  readonly resolver: Resolver;
  readonly balancer: Balancer;
  readonly rules: PickRules;
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
  #rules: PickRules;
  readonly #services = new Map<string, ServiceSelector>();
  readonly #loads = new Map<string, NodeLoad>();

  constructor(options: SelectorOptions) {
    this.#options = options;
    this.#balancer = options.balancer;
    this.#rules = options.rules;
  }

  /** Picks with another balancer from now on. */
  setBalancer(balancer: Balancer): void {
    this.#balancer = balancer;
    for (const { nodes } of this.#services.values()) nodes.setBalancer(balancer);
  }

  /** Picks by other rules from now on. */
  setRules(rules: PickRules): void {
    this.#rules = rules;
    for (const { nodes } of this.#services.values()) nodes.setRules(rules);
  }

  /**
   * The selector of one service; its watch starts here and is shared by all who ask.
   * @throws RpcError INVALID_ARGUMENT for a name that no service can have, before anything is asked
   */
  service(name: string): ServiceSelector {
    const known = this.#services.get(name);
    if (known) return known;
    const nodes = new ServiceNodes({
      service: name,
      balancer: this.#balancer,
      rules: this.#rules,
      logger: this.#options.logger,
      loadOf: (address) => this.#loadOf(address),
      random: Math.random,
      now: () => performance.now(),
    });
    const options = {
      ...this.#options,
      link: (address: string) => this.#linkTo(address),
      onNodes: (listed: readonly Node[]) => {
        const before = [...nodes.addresses];
        nodes.replace(listed);
        for (const address of before) this.#forgetIfGone(address);
      },
    };
    const watch = outsideCalls(() => new SharedWatch(checkServiceName(name), options));
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
      nodes.reachableChanged(address);
      if (!reachable) watch.refused(address);
    }
  }

  /** What is known of a service; `pending` before its first call. */
  state(name: string): WatchState {
    return this.#services.get(name)?.state ?? { kind: 'pending' };
  }

  /** Why each node of a service takes calls like this one, or does not; no nodes before its first call. */
  explain(name: string, call: Selection): Explanation {
    const service = this.#services.get(name);
    return service?.explain(call) ?? { service: name, state: { kind: 'pending' }, nodes: [] };
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

const UNREACHABLE = { details: 'all connections have failed' };

/** The nodes of one service, ready to be picked from. */
export class ServiceSelector {
  readonly watch: SharedWatch;
  readonly nodes: ServiceNodes;

  constructor(watch: SharedWatch, nodes: ServiceNodes) {
    this.watch = watch;
    this.nodes = nodes;
  }

  /**
   * The node for a call, or undefined when none is known (yet). Asks no registry.
   * @param tried nodes that have had this call
   * @param path of its method
   * @throws RpcError as `ServiceNodes.pick`
   */
  select(call: Selection, now: number, tried?: readonly ListedNode[], path?: string): ListedNode | undefined {
    return this.nodes.pick(call, now, tried, path);
  }

  /**
   * Waits for the first list, and then for nothing more.
   * @throws RpcError UNAVAILABLE without a node, naming where it was looked for; CANCELLED, DEADLINE_EXCEEDED
   */
  async selectWhenKnown(
    call: Selection,
    deadline: Deadline | undefined,
    signal?: AbortSignal,
  ): Promise<ListedNode> {
    await this.watch.settled(remainingMs(deadline), signal);
    const node = this.nodes.pick(call, performance.now());
    if (node) return node;
    throw this.watch.unavailable();
  }

  /** Whether there is a node that, for all that is known, can be reached. */
  get isReady(): boolean {
    return this.nodes.isReachable;
  }

  /**
   * Waits until there is one.
   * @throws RpcError CANCELLED, DEADLINE_EXCEEDED
   */
  async ready(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    while (!this.isReady) {
      await waitFor(this.nodes.whenReachable(), timeoutMs, signal, () => {
        const { details } = this.nodes.nodes.length > 0 ? UNREACHABLE : this.watch.unavailable();
        const text = `no node could be called within ${Math.round(timeoutMs)} ms: ${details}`;
        return deadlineExceeded(text, false);
      });
    }
  }

  get state(): WatchState {
    return this.watch.state;
  }

  /** What is known now, for people and tools to look at. */
  get listed(): readonly LiveNode[] {
    return this.nodes.nodes;
  }

  /** Why each node takes calls like this one, or does not. */
  explain(call: Selection): Explanation {
    const now = performance.now();
    const nodes = this.nodes.nodes.map((listed) => ({
      node: listed.node,
      ...this.nodes.explain(listed, call, now),
      inFlight: listed.inFlight,
      latencyMs: listed.latencyMs,
    }));
    return { service: this.watch.service, state: this.state, nodes };
  }
}
