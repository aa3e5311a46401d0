import type { AsyncResource } from 'node:async_hooks';
import type { Cancellable, ConnectOptions, ListenOptions } from '../transport.js';

/** Who has calls in flight, and may be told when the last has ended. */
export interface CallOwner {
  readonly calls: Set<Cancellable>;
  onIdle?: () => void;
}

/** A server's end. */
export interface Endpoint extends CallOwner {
  readonly options: ListenOptions;
  /** The async context of who listens: on a wire, a client's does not reach the server. */
  readonly context: AsyncResource;
}

/** A client's end. */
export interface Link extends CallOwner {
  readonly options: ConnectOptions;
  /** Who answers now. @throws RpcError UNAVAILABLE */
  endpoint(): Endpoint;
  ended(call: Cancellable, endpoint: Endpoint | undefined): void;
}

/** Resolves when no call is left, or after `graceMs`. */
export function idle(owner: CallOwner, graceMs: number): Promise<void> {
  if (owner.calls.size === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, graceMs);
    owner.onIdle = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
