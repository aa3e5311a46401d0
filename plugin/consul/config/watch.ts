import { RpcError, textOf } from '../../../rpc/error.js';
import type { Logger } from '../../../rpc/log.js';
import { Status } from '../../../rpc/status.js';
import type { ChangeEvent } from '../changes.js';
import { isIn } from './path.js';
import type { Reading } from './reading.js';
import type { Snapshot } from './snapshots.js';
import { type BadValue, type ConfigChange, Tracker } from './tracker.js';

/** How fresh the values are. `since` is a wall-clock time in milliseconds. */
export type ConfigState =
  /** Consul has not answered yet. */
  | { readonly kind: 'pending' }
  | { readonly kind: 'ready' }
  /** Consul cannot be read; the values are those of `since`. */
  | { readonly kind: 'stale'; readonly since: number; readonly error: RpcError }
  /** Consul refuses to be read, for a right that is missing (PERMISSION_DENIED), or never could be read. */
  | { readonly kind: 'failed'; readonly error: RpcError };

/** The values under a path, kept up to date until stopped. */
export interface ConfigWatch<T> extends Disposable {
  readonly path: string;
  /** The last good values, by path. */
  readonly values: ReadonlyMap<string, T>;
  readonly state: ConfigState;
  /** Resolves when Consul's first answer has been handled, or its first failure is known. Never rejects. */
  readonly settled: Promise<void>;
  /** No handler is called after this; harmless twice. */
  stop(): void;
}

export type ConfigHandler<T> = (change: ConfigChange<T>) => void | Promise<void>;

export type WatchParts<T> = {
  path: string;
  /** Of the ConsulConfig: what keys have before the path. */
  prefix: string;
  reading: Reading<T>;
  /** Only the value at `path`, nothing below it. */
  exact: boolean;
  onBad: ((bad: BadValue<T>) => void) | undefined;
  logger: Logger;
  /** Starts to read; called again after a reset. `known` are the keys that there are already. */
  read: (known: readonly string[], signal: AbortSignal) => AsyncIterable<ChangeEvent<Snapshot>>;
};

/** One reader of one path: a stream of changes, and the values. */
export class Watching<T> implements ConfigWatch<T> {
  readonly path: string;
  readonly settled: Promise<void>;
  readonly #parts: WatchParts<T>;
  readonly #tracker: Tracker<T>;
  readonly #stop = new AbortController();
  #round = new AbortController();
  #settle!: () => void;
  #state: ConfigState = { kind: 'pending' };
  /** When the values were last known to be right, while they are not; undefined when there never was an answer. */
  #goodAt: number | undefined;

  constructor(parts: WatchParts<T>) {
    this.path = parts.path;
    this.#parts = parts;
    this.#tracker = new Tracker(parts.reading, (bad) => this.#bad(bad));
    this.settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get values(): ReadonlyMap<string, T> {
    return this.#tracker.values;
  }

  get state(): ConfigState {
    return this.#state;
  }

  stop(): void {
    this.#stop.abort();
    this.#round.abort();
    this.#settle();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  /** Asks anew, at once, whatever it waits for. What is known stays, so that only what differs is told. */
  reset(): void {
    this.#round.abort();
  }

  /** Calls the handler for each change until stopped. Does not reject. */
  async deliver(handler: ConfigHandler<T>): Promise<void> {
    for await (const change of this.changes()) {
      try {
        await handler(change);
      } catch (error) {
        this.#parts.logger.error('a handler of the configuration threw; it is told of later changes', {
          path: change.path,
          error,
        });
      }
    }
  }

  /** For one reader, whose pace is the pace of the watch: one who is slow skips states. */
  async *changes(): AsyncGenerator<ConfigChange<T>, void, undefined> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#round = new AbortController();
      try {
        for await (const event of this.#parts.read(this.#known(), this.#round.signal)) {
          if (event.kind === 'failure') {
            this.#failed(event.error);
            continue;
          }
          for await (const change of this.#tracker.changesTo(this.#mine(event.value))) {
            if (signal.aborted) return;
            yield change;
          }
          if (signal.aborted) return;
          this.#state = { kind: 'ready' };
          this.#goodAt = undefined;
          this.#settle();
        }
      } catch (reason) {
        this.#failed(RpcError.from(reason, Status.INTERNAL));
        throw reason;
      }
    }
  }

  #known(): readonly string[] {
    return this.#tracker.paths.map((path) => `${this.#parts.prefix}${path}`);
  }

  #mine(snapshot: Snapshot): Snapshot {
    const { prefix, path: scope, exact } = this.#parts;
    const mine = new Map<string, Buffer>();
    for (const [key, bytes] of snapshot) {
      // What ends in a slash is the mark of a folder, made by Consul's own pages.
      if (!key.startsWith(prefix) || key.endsWith('/')) continue;
      const path = key.slice(prefix.length);
      if (exact ? path === scope : isIn(scope, path)) mine.set(path, bytes);
    }
    return mine;
  }

  #failed(error: RpcError): void {
    if (this.#state.kind === 'ready') this.#goodAt = Date.now();
    const isStale = this.#goodAt !== undefined && error.code !== Status.PERMISSION_DENIED;
    this.#state = isStale ? { kind: 'stale', since: this.#goodAt!, error } : { kind: 'failed', error };
    this.#settle();
  }

  #bad(bad: BadValue<T>): void {
    const { logger, onBad } = this.#parts;
    const kept = bad.kept === undefined ? 'it is not used' : 'the last good value is kept';
    logger.error(`a value of the configuration is wrong; ${kept}`, { reason: bad.error.details });
    try {
      onBad?.(bad);
    } catch (reason) {
      logger.error('the handler of bad values threw', { path: bad.path, reason: textOf(reason) });
    }
  }
}
