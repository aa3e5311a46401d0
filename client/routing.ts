import type { CallOptions } from '../rpc/call.js';
import { type Deadline, remainingMs } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';
import type { ListedNode } from '../selector/listed-node.js';
import type { Selector, ServiceSelector } from '../selector/selector.js';
import type { Connection } from '../transport/transport.js';
import type { BoundMethod } from './bound-method.js';
import type { Connections } from './connections.js';

/** Where one attempt of a call goes. Without `node` it has a fixed target. */
export type Routed = { readonly connection: Connection; readonly node: ListedNode | undefined };

/** Finds the connection for a call: a fixed target, or a node that the selector picks. */
export class Routing {
  readonly #connections: Connections;
  readonly #selector: Selector | undefined;
  readonly #target: string | undefined;
  #closed = false;

  constructor(connections: Connections, selector: Selector | undefined, target: string | undefined) {
    this.#connections = connections;
    this.#selector = selector;
    this.#target = target;
  }

  /**
   * Without waiting, or undefined when that has to be: the service's first list is still to come (or names nobody), or
   * the call waits for a node that can be reached.
   * @param tried nodes that have had the call
   */
  route(
    method: BoundMethod,
    options: CallOptions,
    now: number,
    tried?: readonly ListedNode[],
  ): Routed | undefined {
    if (this.#closed) throw closed();
    const target = options.target ?? this.#target;
    if (target !== undefined) return { connection: this.#connections.get(target), node: undefined };
    method.selector ??= this.#serviceOf(method);
    if (options.waitForReady && !method.selector.isReady) return undefined;
    const node = method.selector.select(options, now, tried, method.wire.method.path);
    return node && { connection: this.#connections.get(node.load.address), node };
  }

  /**
   * To a node that has not had the call and, for all that is known, has its method; undefined when there is none, or none
   * that takes it now.
   */
  routeElsewhere(
    method: BoundMethod,
    options: CallOptions,
    now: number,
    tried: readonly ListedNode[],
  ): Routed | undefined {
    try {
      const routed = this.route(method, options, now, tried);
      const node = routed?.node;
      if (!node || tried.includes(node)) return undefined;
      return method.selector?.nodes.lacks(node, method.wire.method.path, now) ? undefined : routed;
    } catch {
      return undefined;
    }
  }

  /** Whether there are nodes that have not had the call. */
  hasUntried(method: BoundMethod, tried: readonly ListedNode[]): boolean {
    return method.selector !== undefined && method.selector.listed.length > tried.length;
  }

  /** After `route` gave nothing. */
  async routeWhenKnown(
    method: BoundMethod,
    options: CallOptions,
    deadline: Deadline | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Routed> {
    try {
      const selector = method.selector!;
      if (options.waitForReady) await selector.ready(remainingMs(deadline), signal);
      const node = await selector.selectWhenKnown(options, deadline, signal);
      if (!this.#closed) return { connection: this.#connections.get(node.load.address), node };
    } catch (reason) {
      if (!this.#closed) throw reason;
    }
    throw closed();
  }

  close(): void {
    this.#closed = true;
  }

  #serviceOf(method: BoundMethod): ServiceSelector {
    if (this.#selector) return this.#selector.service(method.service);
    throw failedPrecondition(
      'the client has neither a resolver nor a target; give it one, or give this call a target',
    );
  }
}

const closed = () => failedPrecondition('the client is closed');
const failedPrecondition = (text: string) =>
  new RpcError(Status.FAILED_PRECONDITION, text, { maybeExecuted: false });
