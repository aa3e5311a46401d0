import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Abortable, forgetAborted, tellWhenAborted } from '../rpc/aborted.js';
import { RpcError } from '../rpc/error.js';
import type { Logger } from '../rpc/log.js';
import { Status } from '../rpc/status.js';
import type { Node } from './node.js';
import type { Resolver } from './resolver.js';

/** What is known of a service, to be read at any time. `since` is a wall-clock time in milliseconds. */
export type WatchState =
  | { readonly kind: 'pending' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'empty' }
  | { readonly kind: 'stale'; readonly since: number; readonly error: RpcError }
  | { readonly kind: 'failed'; readonly error: RpcError };

const RESTART_MS = 1_000;

/** The one watch of a service in a client, whatever the number of calls. It lasts until closed. */
export class SharedWatch {
  readonly service: string;
  readonly #resolver: Resolver;
  readonly #onNodes: (nodes: readonly Node[]) => void;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  readonly #first: Promise<void>;
  #settle!: () => void;
  #state: WatchState = { kind: 'pending' };
  #last: readonly Node[] | undefined;

  constructor(
    resolver: Resolver,
    service: string,
    onNodes: (nodes: readonly Node[]) => void,
    logger: Logger,
  ) {
    this.service = service;
    this.#resolver = resolver;
    this.#onNodes = onNodes;
    this.#logger = logger;
    this.#first = new Promise((resolve) => {
      this.#settle = resolve;
    });
    void this.#run();
  }

  get state(): WatchState {
    return this.#state;
  }

  /**
   * Resolves when the first list, or the first failure, is there.
   * @throws RpcError CANCELLED or DEADLINE_EXCEEDED when `signal` or the time is over before
   */
  async settled(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#state.kind !== 'pending') return;
    let timer: NodeJS.Timeout | undefined;
    let waiting: Abortable | undefined;
    try {
      await Promise.race([
        this.#first,
        new Promise<never>((_, reject) => {
          waiting = { onAborted: ({ reason }) => reject(RpcError.from(reason, Status.CANCELLED)) };
          if (signal) tellWhenAborted(signal, waiting);
          if (Number.isFinite(timeoutMs)) timer = setTimeout(() => reject(this.#late(timeoutMs)), timeoutMs);
        }),
      ]);
    } finally {
      clearTimeout(timer);
      if (signal && waiting) forgetAborted(signal, waiting);
    }
  }

  /** Why there is no node to call. */
  unavailable(): RpcError {
    const where = this.#resolver.describe(this.service);
    const state = this.#state;
    const failure = state.kind === 'failed' || state.kind === 'stale' ? state.error : undefined;
    const text = failure
      ? `${this.service} could not be resolved (${where}): ${failure.details}`
      : `no node of ${this.service} is listed (${where}); is a server of it running, and registered there?`;
    return new RpcError(Status.UNAVAILABLE, text, { cause: failure, maybeExecuted: false });
  }

  close(): void {
    this.#stop.abort();
    this.#state = { kind: 'failed', error: new RpcError(Status.CANCELLED, 'the client was closed') };
    this.#settle();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        for await (const resolution of this.#resolver.watch(this.service, signal)) {
          if (signal.aborted) return;
          if (resolution.kind === 'nodes') this.#listed(resolution.nodes);
          else this.#failed(resolution.error);
        }
        if (signal.aborted) return;
        this.#failed(new RpcError(Status.INTERNAL, 'the resolver ended its watch'));
      } catch (reason) {
        if (signal.aborted) return;
        this.#failed(RpcError.from(reason, Status.INTERNAL));
      }
      // A resolver's watch neither ends nor throws by its contract; one that does is not left in a busy loop.
      await sleep(RESTART_MS, undefined, { signal }).catch(() => {});
    }
  }

  #listed(nodes: readonly Node[]): void {
    if (this.#state.kind === 'stale' || this.#state.kind === 'failed')
      this.#logger.warn('the registry answers again', { service: this.service });
    this.#state = nodes.length > 0 ? { kind: 'ready' } : { kind: 'empty' };
    // A registry that is back mostly says what it said before; then no connection and no balancer has to know.
    if (!isDeepStrictEqual(nodes, this.#last)) this.#onNodes(nodes);
    this.#last = nodes;
    this.#settle();
  }

  #failed(error: RpcError): void {
    const known = this.#state.kind === 'ready' || this.#state.kind === 'empty';
    const since = this.#state.kind === 'stale' ? this.#state.since : Date.now();
    // One line per outage, not one per attempt.
    if (known || this.#state.kind === 'pending') {
      const then = known ? 'the last list is kept' : 'it is tried again';
      this.#logger.warn(`the registry does not answer; ${then}`, {
        service: this.service,
        error: error.message,
      });
    }
    this.#state =
      known || this.#state.kind === 'stale' ? { kind: 'stale', since, error } : { kind: 'failed', error };
    this.#settle();
  }

  #late(timeoutMs: number): RpcError {
    const where = this.#resolver.describe(this.service);
    return new RpcError(
      Status.DEADLINE_EXCEEDED,
      `${this.service} was not resolved within ${Math.round(timeoutMs)} ms (${where})`,
      { maybeExecuted: false },
    );
  }
}
