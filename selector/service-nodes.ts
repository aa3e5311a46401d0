import { RpcError, textOf } from '../rpc/error.js';
import type { Logger } from '../rpc/log.js';
import type { NodeFilter } from '../rpc/node-filter.js';
import { Status } from '../rpc/status.js';
import type { Balancer, PickContext } from './balancer.js';
import { EjectedNodes } from './ejected-nodes.js';
import { FilteredSets } from './filtered-sets.js';
import { ListedNode } from './listed-node.js';
import type { LiveNode } from './live-node.js';
import type { NodeLoad } from './load.js';
import { MissingMethods } from './missing-methods.js';
import type { Node } from './node.js';
import { describeFilter, matches } from './node-filter.js';
import { NodeSet } from './node-set.js';
import type { PickRules } from './pick-rules.js';
import { ServiceLoad } from './service-load.js';
import { warmEnough } from './slow-start.js';
import { isOut, type Standing, standingOf } from './standing.js';

/** What a pick goes by: the balancer's part, and which nodes the call may go to. */
export interface Selection extends PickContext {
  readonly nodes?: NodeFilter | undefined;
}

export type ServiceNodesOptions = {
  readonly service: string;
  readonly balancer: Balancer;
  readonly rules: PickRules;
  readonly logger: Logger;
  readonly loadOf: (address: string) => NodeLoad;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** The clock of `performance.now()`. */
  readonly now: () => number;
};

/** Picks that do not fit are made again that often, and then a node that fits is looked for one by one. */
const PICKS = 4;

/** The nodes of one service, and the pick among them. */
export class ServiceNodes {
  readonly #options: ServiceNodesOptions;
  readonly #ejected: EjectedNodes;
  #balancer: Balancer;
  #rules: PickRules;
  #byAddress = new Map<string, ListedNode>();
  #all: NodeSet;
  #filtered: FilteredSets;
  readonly #load = new ServiceLoad();
  readonly #missing = new MissingMethods<ListedNode>();
  #isFirstList = true;
  /** Until then some node is fresh, or lacks a method. */
  #plainFrom = 0;
  #waiting: (() => void)[] = [];

  constructor(options: ServiceNodesOptions) {
    this.#options = options;
    this.#balancer = options.balancer;
    this.#rules = options.rules;
    this.#ejected = new EjectedNodes({
      service: options.service,
      rules: () => this.#rules.ejection,
      logger: options.logger,
      reachable: () => this.#reachable,
      onChange: (node) => {
        if (node.standing === 'in') this.#isFresh(node);
        this.rebuild();
      },
      onMissing: (node, method, now) => {
        // A call may end after its node has left the list.
        if (this.#byAddress.get(node.load.address) !== node) return;
        this.#missing.add(node, method, now);
        this.#plainFrom = Math.max(this.#plainFrom, this.#missing.until);
      },
      random: options.random,
    });
    this.#all = new NodeSet([], this.#balancer);
    this.#filtered = new FilteredSets(options.service, [], this.#balancer);
  }

  get addresses(): IterableIterator<string> {
    return this.#byAddress.keys();
  }

  has(address: string): boolean {
    return this.#byAddress.has(address);
  }

  get nodes(): readonly ListedNode[] {
    return [...this.#byAddress.values()];
  }

  /** Takes the complete new set. Nodes that stay keep their object; of two with one address the first counts. */
  replace(nodes: readonly Node[]): void {
    const before = this.#byAddress;
    const next = new Map<string, ListedNode>();
    for (const node of nodes) {
      if (next.has(node.address)) continue;
      const known = before.get(node.address);
      if (known) known.node = node;
      const listed =
        known ?? new ListedNode(node, this.#options.loadOf(node.address), this.#load, this.#ejected);
      if (!known && !this.#isFirstList) this.#isFresh(listed);
      next.set(node.address, listed);
    }
    for (const [address, node] of before) {
      if (next.has(address)) continue;
      this.#ejected.forget(node);
      this.#missing.forget(node);
    }
    this.#isFirstList = this.#isFirstList && next.size === 0;
    this.#byAddress = next;
    this.rebuild();
  }

  setBalancer(balancer: Balancer): void {
    this.#balancer = balancer;
    this.rebuild();
  }

  setRules(rules: PickRules): void {
    this.#rules = rules;
    if (!rules.ejection) this.#ejected.clear();
  }

  /** A connection has failed, or stands again. */
  reachableChanged(address: string): void {
    const node = this.#byAddress.get(address);
    if (!node) return;
    if (node.reachable) {
      this.#ejected.tryNow(node, this.#options.now());
      // What listens there may be another version, or another service.
      node.failures.reconnected();
      this.#missing.forget(node);
      this.#isFresh(node);
    }
    this.rebuild();
    if (node.reachable) this.#wake();
  }

  rebuild(): void {
    const { nodes } = this;
    this.#all = new NodeSet(nodes, this.#balancer);
    this.#filtered = new FilteredSets(this.#options.service, nodes, this.#balancer);
    if (this.#all.isReachable) this.#wake();
  }

  /**
   * The node for a call; undefined when no node is known.
   * @param tried nodes that have had this call; none of them is picked while there are others
   * @param path of its method; nodes that lack it are not picked either
   * @throws RpcError RESOURCE_EXHAUSTED when all nodes have as many calls as they may, UNAVAILABLE when a filter leaves
   * none, INTERNAL for a balancer that fails
   */
  pick(call: Selection, now: number, tried?: readonly ListedNode[], path?: string): ListedNode | undefined {
    if (this.#byAddress.size === 0) return undefined;
    this.#admit(now);
    if (now >= this.#ejected.due) {
      const onTrial = this.#ejected.trial(
        now,
        (node) =>
          node.reachable &&
          this.#takes(node, now, tried, path) &&
          (call.nodes === undefined || matches(call.nodes, node.node)),
      );
      if (onTrial) return onTrial;
    }
    const set = call.nodes === undefined ? this.#all : this.#filtered.matching(call.nodes);
    const node = this.#pickFrom(set, call, now);
    if (node.load.inFlight < this.#rules.maxInFlightPerNode && tried === undefined && now >= this.#plainFrom)
      return node;
    return this.#pickFit(set, node, call, now, tried, path);
  }

  /** Whether a node has said of late that it lacks the method. */
  lacks(node: ListedNode, path: string | undefined, now: number): boolean {
    return path !== undefined && now < this.#missing.until && this.#missing.has(node, path, now);
  }

  /** Whether there is a node that, for all that is known, can be reached. */
  get isReachable(): boolean {
    return this.#all.isReachable;
  }

  /** Resolves when there is one. */
  whenReachable(): Promise<void> {
    if (this.isReachable) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Why a node takes calls like this one, or why it does not. */
  explain(node: ListedNode, call: Selection, now: number): Standing {
    if (call.nodes && !matches(call.nodes, node.node))
      return isOut(`it is not of those that the call wants: ${describeFilter(call.nodes)}`);
    const { candidates } = call.nodes ? this.#filtered.matching(call.nodes) : this.#all;
    return standingOf(node, candidates, this.#rules, this.#ejected.until(node), now);
  }

  /** @throws RpcError for a call that the service is not to have */
  #admit(now: number): void {
    const { maxInFlight, throttle } = this.#rules;
    const { service } = this.#options;
    if (this.#load.inFlight >= maxInFlight)
      throw new RpcError(
        Status.RESOURCE_EXHAUSTED,
        `${service} has ${maxInFlight} calls in flight already (maxInFlight)`,
        { maybeExecuted: false },
      );
    if (throttle !== undefined && this.#load.holdsBack(throttle, now, this.#options.random()))
      throw new RpcError(
        Status.UNAVAILABLE,
        `${service} refuses or fails most calls, so this client holds some of them back (throttle)`,
        { maybeExecuted: false },
      );
  }

  get #reachable(): number {
    let count = 0;
    for (const node of this.#byAddress.values()) if (node.reachable && node.node.weight > 0) count++;
    return count;
  }

  #isFresh(node: ListedNode): void {
    const { slowStartMs } = this.#rules;
    node.forgetLatency();
    if (slowStartMs === 0) return;
    node.freshSince = this.#options.now();
    this.#plainFrom = Math.max(this.#plainFrom, node.freshSince + slowStartMs);
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #pickFrom(set: NodeSet, call: Selection, now: number): ListedNode {
    let node: LiveNode;
    try {
      node = set.pick(call, now);
    } catch (reason) {
      throw set.broken(reason);
    }
    if (node instanceof ListedNode) return node;
    throw set.broken(new TypeError(`it picked ${textOf(node)}, which is not one of its nodes`));
  }

  /** Picks again as long as the node picked does not fit. */
  #pickFit(
    set: NodeSet,
    first: ListedNode,
    call: Selection,
    now: number,
    tried: readonly ListedNode[] | undefined,
    path: string | undefined,
  ): ListedNode {
    const { maxInFlightPerNode, slowStartMs } = this.#rules;
    const takes = (node: ListedNode) => this.#takes(node, now, tried, path);
    let node = first;
    // One that had to wait for its share once waits with this call, however often the balancer picks it.
    let cold: ListedNode | undefined;
    for (let picks = 1; ; picks++) {
      if (node !== cold && takes(node)) {
        // The node of a key is where the key's data is, fresh or not.
        if (call.hashKey !== undefined || node.freshSince === undefined) return node;
        if (warmEnough(node.freshSince, slowStartMs, now, this.#options.random)) return node;
        cold ??= node;
      }
      if (picks === PICKS) break;
      node = this.#pickFrom(set, call, now);
    }
    const { candidates } = set;
    const start = Math.floor(this.#options.random() * candidates.length);
    let full = 0;
    for (let i = 0; i < candidates.length; i++) {
      const other = candidates[(start + i) % candidates.length]!;
      if (other !== cold && takes(other) && other.node.weight > 0) return other;
      if (other.load.inFlight >= maxInFlightPerNode) full++;
    }
    if (cold) return cold;
    if (full < candidates.length && first.load.inFlight < maxInFlightPerNode) return first;
    throw new RpcError(
      Status.RESOURCE_EXHAUSTED,
      `all ${candidates.length} nodes of ${this.#options.service} have ${maxInFlightPerNode} calls in flight (maxInFlightPerNode)`,
      { maybeExecuted: false },
    );
  }

  #takes(
    node: ListedNode,
    now: number,
    tried: readonly ListedNode[] | undefined,
    path: string | undefined,
  ): boolean {
    const { maxInFlightPerNode } = this.#rules;
    return node.load.inFlight < maxInFlightPerNode && !tried?.includes(node) && !this.lacks(node, path, now);
  }
}
