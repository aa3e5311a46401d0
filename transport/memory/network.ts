import { currentContext } from '../../rpc/async-context.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { listenError } from '../listen-error.js';
import type { Listener, ListenOptions } from '../transport.js';
import { type Endpoint, idle } from './endpoint.js';

/** The addresses of one in-process network, and who wants to know when they come and go. */
export class MemoryNetwork {
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #watchers = new Set<(address: string, up: boolean) => void>();
  #nextPort = 50_000;

  find(address: string): Endpoint | undefined {
    return this.#endpoints.get(address);
  }

  /** Returns how to stop. */
  watch(watcher: (address: string, up: boolean) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  async listen(options: ListenOptions): Promise<Listener> {
    const address = options.address.replace(/:0$/, () => `:${this.#nextPort++}`);
    if (this.#endpoints.has(address)) throw listenError(address, new Error('EADDRINUSE'));
    const endpoint: Endpoint = { options, context: currentContext(), calls: new Set() };
    this.#endpoints.set(address, endpoint);
    this.#tell(address, true);
    let closing: Promise<void> | undefined;
    return {
      address,
      close: (graceMs) => {
        closing ??= this.#close(address, endpoint, graceMs);
        if (graceMs === 0) cutOff(address, endpoint);
        return closing;
      },
    };
  }

  async #close(address: string, endpoint: Endpoint, graceMs: number): Promise<void> {
    this.#endpoints.delete(address);
    this.#tell(address, false);
    await idle(endpoint, graceMs);
    cutOff(address, endpoint);
  }

  #tell(address: string, up: boolean): void {
    for (const watcher of [...this.#watchers]) watcher(address, up);
  }
}

function cutOff(address: string, endpoint: Endpoint): void {
  const error = new RpcError(Status.UNAVAILABLE, `the server at ${address} was closed`);
  for (const call of [...endpoint.calls]) call.cancel(error);
}
