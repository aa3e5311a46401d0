import type { CallOptions } from '../rpc/call.js';
import type { Deadline } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';
import type { NodeLoad } from '../selector/load.js';
import type { Selector } from '../selector/selector.js';
import type { Connection } from '../transport/transport.js';
import type { BoundMethod } from './bound-method.js';
import type { Connections } from './connections.js';

/** Where one attempt of a call goes. Without `load` it has a fixed target. */
export type Routed = { readonly connection: Connection; readonly load: NodeLoad | undefined };

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

  /** Without waiting, or undefined when the service's first list is still to come (or names nobody). */
  route(method: BoundMethod, options: CallOptions): Routed | undefined {
    if (this.#closed) throw closed();
    const target = options.target ?? this.#target;
    if (target !== undefined) return { connection: this.#connections.get(target), load: undefined };
    method.selector ??= this.#serviceOf(method);
    const node = method.selector.select(options);
    return node && { connection: this.#connections.get(node.load.address), load: node.load };
  }

  /** After `route` gave nothing. */
  async routeWhenKnown(
    method: BoundMethod,
    options: CallOptions,
    deadline: Deadline | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Routed> {
    const node = await method.selector!.selectWhenKnown(options, deadline, signal).catch((error) => {
      throw this.#closed ? closed() : error;
    });
    if (this.#closed) throw closed();
    return { connection: this.#connections.get(node.load.address), load: node.load };
  }

  close(): void {
    this.#closed = true;
  }

  #serviceOf(method: BoundMethod) {
    if (this.#selector) return this.#selector.service(method.service);
    throw failedPrecondition(
      'the client has neither a resolver nor a target; give it one, or give this call a target',
    );
  }
}

const closed = () => failedPrecondition('the client is closed');
const failedPrecondition = (text: string) =>
  new RpcError(Status.FAILED_PRECONDITION, text, { maybeExecuted: false });
