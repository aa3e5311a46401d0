import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type {
  Cancellable,
  Connection,
  ConnectOptions,
  ReplyStream,
  StreamCall,
  UnaryCall,
} from '../transport.js';
import { type Endpoint, idle, type Link } from './endpoint.js';
import type { MemoryNetwork } from './network.js';
import { MemoryStream } from './stream.js';
import { MemoryUnary } from './unary.js';

export class MemoryConnection implements Connection, Link {
  readonly calls = new Set<Cancellable>();
  onIdle?: () => void;
  readonly options: ConnectOptions;
  readonly #network: MemoryNetwork;
  readonly #unwatch: () => void;
  #reachable = true;
  #closing: Promise<void> | undefined;

  constructor(network: MemoryNetwork, options: ConnectOptions) {
    this.#network = network;
    this.options = options;
    this.#unwatch = network.watch((address, up) => {
      if (address === options.address) this.#setReachable(up);
    });
  }

  unary(call: UnaryCall): Cancellable {
    return new MemoryUnary(this, call).start();
  }

  stream(call: StreamCall, requests: AsyncIterable<unknown>): ReplyStream {
    return new MemoryStream(this, call).start(requests);
  }

  endpoint(): Endpoint {
    const { address } = this.options;
    if (this.#closing) throw unavailable(`the connection to ${address} is closed`);
    const endpoint = this.#network.find(address);
    if (endpoint) return endpoint;
    this.#setReachable(false);
    throw unavailable(`no connection to ${address}: nobody listens there in this process`);
  }

  ended(call: Cancellable, endpoint: Endpoint | undefined): void {
    for (const owner of [this, endpoint]) {
      if (owner?.calls.delete(call) && owner.calls.size === 0) owner.onIdle?.();
    }
  }

  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    this.#unwatch();
    await idle(this, graceMs);
    const error = new RpcError(
      Status.UNAVAILABLE,
      `the connection to ${this.options.address} was closed by this client: its node has left, or the client was closed`,
    );
    for (const call of [...this.calls]) call.cancel(error);
  }

  #setReachable(reachable: boolean): void {
    if (this.#reachable === reachable) return;
    this.#reachable = reachable;
    this.options.onReachable(reachable);
  }
}

const unavailable = (text: string) => new RpcError(Status.UNAVAILABLE, text, { maybeExecuted: false });
