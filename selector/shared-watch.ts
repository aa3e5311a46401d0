import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { RpcError } from '../rpc/error.js';
import { MAX_TIMER_MS } from '../rpc/limit.js';
import type { Logger } from '../rpc/log.js';
import { Status } from '../rpc/status.js';
import { type EmptyListPolicy, type Link, ListGuard } from './list-guard.js';
import type { Node } from './node.js';
import { Paced } from './paced.js';
import type { Resolver } from './resolver.js';
import { waitFor } from './wait.js';

/** What is known of a service, to be read at any time. */
export type WatchState =
  /** No answer yet. */
  | { readonly kind: 'pending' }
  | { readonly kind: 'ready' }
  /** The registry lists no node. */
  | { readonly kind: 'empty' }
  /** What is used is older than `since` (milliseconds, as of `Date.now()`), and why. */
  | { readonly kind: 'stale'; readonly since: number; readonly error: RpcError }
  /** The registry has not been reached yet. */
  | { readonly kind: 'failed'; readonly error: RpcError };

export type SharedWatchOptions = {
  readonly resolver: Resolver;
  readonly onNodes: (nodes: readonly Node[]) => void;
  readonly logger: Logger;
  readonly emptyListPolicy: EmptyListPolicy;
  readonly emptyListGraceMs: number;
  readonly link: (address: string) => Link;
};

const RESTART_MS = 1_000;

/** The one watch of a service in a client, whatever the number of calls. It lasts until closed. */
export class SharedWatch {
  readonly service: string;
  readonly #resolver: Resolver;
  readonly #updates: Paced<readonly Node[]>;
  readonly #logger: Logger;
  readonly #guard: ListGuard;
  readonly #policy: EmptyListPolicy;
  readonly #stop = new AbortController();
  readonly #first: Promise<void>;
  #settle!: () => void;
  #state: WatchState = { kind: 'pending' };
  #last: readonly Node[] | undefined;
  /** While nodes are used that the registry does not list any more. */
  #loss: { readonly since: number; readonly error: RpcError } | undefined;
  #expiry: NodeJS.Timeout | undefined;

  constructor(service: string, options: SharedWatchOptions) {
    this.service = service;
    this.#resolver = options.resolver;
    this.#updates = new Paced(options.onNodes);
    this.#logger = options.logger;
    this.#policy = options.emptyListPolicy;
    this.#guard = new ListGuard({
      policy: options.emptyListPolicy,
      graceMs: options.emptyListGraceMs,
      link: options.link,
    });
    this.#first = new Promise((resolve) => {
      this.#settle = resolve;
    });
    void this.#run();
  }

  get state(): WatchState {
    if (this.#loss && (this.#state.kind === 'ready' || this.#state.kind === 'empty'))
      return { kind: 'stale', ...this.#loss };
    return this.#state;
  }

  /** A connection to the node has failed: it is not kept any longer if the registry does not list it. */
  refused(address: string): void {
    if (this.#guard.refused(address)) this.#publish();
  }

  /**
   * Resolves when the first list, or the first failure, is there.
   * @throws RpcError CANCELLED or DEADLINE_EXCEEDED when `signal` or the time is over before
   */
  async settled(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#state.kind !== 'pending') return;
    await waitFor(this.#first, timeoutMs, signal, () => this.#late(timeoutMs));
  }

  /** Why there is no node to call. */
  unavailable(): RpcError {
    const where = this.#resolver.describe(this.service);
    const state = this.state;
    const failure = state.kind === 'failed' || state.kind === 'stale' ? state.error : undefined;
    const text = failure
      ? `${this.service} could not be resolved (${where}): ${failure.details}`
      : `no node of ${this.service} is listed (${where}); is a server of it running, and registered there?`;
    return new RpcError(Status.UNAVAILABLE, text, { cause: failure, maybeExecuted: false });
  }

  close(): void {
    this.#stop.abort();
    this.#updates.close();
    clearTimeout(this.#expiry);
    this.#state = { kind: 'failed', error: new RpcError(Status.CANCELLED, 'the client was closed') };
    this.#settle();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        for await (const resolution of this.#resolver.watch(this.service, signal)) {
          if (signal.aborted) return;
          if (resolution.kind === 'nodes') this.#listed(resolution.nodes, resolution.drained);
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

  #listed(nodes: readonly Node[], drained: readonly string[] | undefined): void {
    if (this.#state.kind === 'stale' || this.#state.kind === 'failed')
      this.#logger.warn('the registry answers again', { service: this.service });
    this.#state = nodes.length > 0 ? { kind: 'ready' } : { kind: 'empty' };
    this.#guard.take(nodes, performance.now(), drained);
    this.#publish();
    this.#settle();
  }

  #publish(): void {
    clearTimeout(this.#expiry);
    this.#tellLoss();
    const { nodes, due } = this.#guard;
    if (due < Number.POSITIVE_INFINITY) {
      const left = Math.max(0, due - performance.now());
      this.#expiry = setTimeout(
        () => {
          this.#guard.expire(performance.now());
          this.#publish();
        },
        Math.min(left + 1, MAX_TIMER_MS),
      ).unref();
    }
    // A registry that is back mostly says what it said before; then no connection and no balancer has to know.
    if (!isDeepStrictEqual(nodes, this.#last)) this.#updates.put(nodes);
    this.#last = nodes;
  }

  /** One line when it begins. */
  #tellLoss(): void {
    const { suspects } = this.#guard;
    if (suspects === 0) {
      this.#loss = undefined;
      return;
    }
    if (this.#loss) return;
    const text = 'most nodes are gone from the registry at once; those that still can be reached are used';
    this.#loss = {
      since: Date.now(),
      error: new RpcError(Status.UNAVAILABLE, text, { maybeExecuted: false }),
    };
    this.#logger.warn(text, { service: this.service, nodes: suspects, policy: this.#policy });
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
