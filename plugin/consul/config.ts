import { RpcError } from '../../rpc/error.js';
import { checkLimit } from '../../rpc/limit.js';
import { type Logger, stderrLogger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import type { ConsulClient } from './client.js';
import {
  type ConfigEntry,
  type Configurable,
  type ConsulConfigOptions,
  type GetOptions,
  type PutOptions,
  versionOf,
  type WatchOptions,
} from './config/options.js';
import { checkPath, checkScope, configPrefix, isIn } from './config/path.js';
import { readingOf } from './config/reading.js';
import { snapshots } from './config/snapshots.js';
import type { ConfigChange } from './config/tracker.js';
import { encodeValue } from './config/value.js';
import { type ConfigHandler, type ConfigWatch, Watching } from './config/watch.js';
import { connectConsul } from './connection.js';
import { type Kv, kvOf } from './kv.js';

export type {
  ConfigEntry,
  Configurable,
  ConsulConfigOptions,
  GetOptions,
  PutOptions,
  WatchOptions,
} from './config/options.js';
export type { ReadingOptions } from './config/reading.js';
export type {
  ConfigSchema,
  ParsingSchema,
  StandardIssue,
  StandardResult,
  StandardSchema,
} from './config/schema.js';
export type { BadValue, ConfigChange } from './config/tracker.js';
export type { FieldPath, ValueForm } from './config/value.js';
export type { ConfigHandler, ConfigState, ConfigWatch } from './config/watch.js';
export type { ConsulConnection } from './connection.js';
export type { ConsulTls } from './tls.js';

/**
 * Configuration in Consul's key-value store: typed, watched, and kept when Consul is away. A value is one key,
 * `<prefix>/<path>`; a field of a JSON value is named by the option `at`, never as a part of the path.
 *
 * @throws RpcError INVALID_ARGUMENT for a bad address, token or prefix; RangeError for a bad time
 */
export class ConsulConfig implements AsyncDisposable {
  readonly #client: ConsulClient;
  readonly #kv: Kv;
  readonly #prefix: string;
  readonly #stale: boolean;
  readonly #lossGraceMs: number;
  readonly #logger: Logger;
  readonly #watches = new Set<Running>();
  #generation = 0;
  #closed = false;

  constructor(options: ConsulConfigOptions = {}) {
    checkLimit('lossGraceMs', options.lossGraceMs, 0);
    this.#prefix = configPrefix(options.prefix ?? '');
    this.#client = connectConsul(options);
    this.#kv = kvOf(this.#client);
    this.#stale = options.stale ?? true;
    this.#lossGraceMs = options.lossGraceMs ?? 60_000;
    this.#logger = options.logger ?? stderrLogger;
  }

  /**
   * Writes a value: a string as its text, bytes as they are, anything else as JSON; up to 512 KiB.
   * @returns false only for a condition (`cas`, `ifUnchanged`) that does not hold; nothing was written then
   */
  async put(path: string, value: unknown, options: PutOptions = {}): Promise<boolean> {
    const key = this.#keyOf(path);
    const body = encodeValue(value, key);
    return this.#kv.putIf(key, body, { cas: versionOf(options), signal: options.signal });
  }

  /**
   * The value at a path, or one field of it; undefined when there is none.
   *
   *     const size = await config.get<number>('database', { at: 'pool.size' });
   *
   * @throws RpcError FAILED_PRECONDITION for a value that is not of the form wanted, or that the schema refuses
   */
  async get<T = unknown>(path: string, options: GetOptions<T> = {}): Promise<T | undefined> {
    return (await this.entry(path, options)).value;
  }

  /** The same with its version, also where there is no value. */
  async entry<T = unknown>(path: string, options: GetOptions<T> = {}): Promise<ConfigEntry<T>> {
    const key = this.#keyOf(path);
    const reading = readingOf(options);
    const { entries } = await this.#kv.get(key, { signal: options.signal });
    const found = entries.find((entry) => entry.key === key);
    if (!found) return { path, value: undefined, version: 0n };
    return { path, value: await reading(found.value, path), version: found.modifyIndex };
  }

  /**
   * All values in a scope: `database` is that value and what is below `database/`, `database/` only what is below, ''
   * everything. What cannot be read as wanted is left out, and reported.
   */
  async list<T = unknown>(
    path = '',
    options: GetOptions<T> & Pick<WatchOptions<T>, 'onBad'> = {},
  ): Promise<readonly ConfigEntry<T>[]> {
    this.#checkOpen();
    const scope = checkScope(path);
    const reading = readingOf(options);
    const prefix = `${this.#prefix}${scope}`;
    const { entries, isFiltered } = await this.#kv.list(prefix, { signal: options.signal });
    if (isFiltered && entries.length === 0) throw this.#kv.denied(prefix);
    const found: ConfigEntry<T>[] = [];
    for (const { key, value: bytes, modifyIndex: version } of entries) {
      const path = key.slice(this.#prefix.length);
      if (path.endsWith('/') || path === '' || !isIn(scope, path)) continue;
      try {
        const value = await reading(bytes, path);
        if (value !== undefined) found.push({ path, value, version });
      } catch (reason) {
        const error = RpcError.from(reason, Status.FAILED_PRECONDITION);
        this.#logger.error('a value of the configuration is wrong; it is left out of the list', {
          reason: error.details,
        });
        options.onBad?.({ path, error, kept: undefined });
      }
    }
    return found;
  }

  /**
   * Deletes the one key; one that is not there is no error.
   * @returns false only for a condition that does not hold
   */
  async delete(path: string, options: PutOptions = {}): Promise<boolean> {
    const key = this.#keyOf(path);
    const { signal } = options;
    const cas = versionOf(options);
    // Consul takes 0 for no condition.
    if (cas === 0n) return (await this.#kv.get(key, { signal })).entries.length === 0;
    return this.#kv.delete(key, { ...(cas === undefined ? {} : { cas }), signal });
  }

  /**
   * Tells the handler of each value in the scope (as of `list`) that is set, changes or is deleted, beginning with
   * those that are there. Changes come one at a time: a handler's promise is waited for, and one that is slow skips
   * states, never the latest. Any number of watches of one path share one request. With `at` only the value at `path`
   * itself is watched, and a change is one of that field.
   */
  watch<T = unknown>(
    path: string,
    handler: ConfigHandler<T> = () => {},
    options: WatchOptions<T> = {},
  ): ConfigWatch<T> {
    const watching = this.#watching(path, options, options.at !== undefined);
    void this.#kept(watching, () => watching.deliver(handler));
    return watching;
  }

  /** The same as an iteration, until it is left or the signal aborts. It is of one reader. */
  async *changes<T = unknown>(
    path: string,
    options: WatchOptions<T> & { signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<ConfigChange<T>, void, undefined> {
    const watching = this.#watching(path, options, options.at !== undefined);
    const stop = () => watching.stop();
    if (options.signal?.aborted) return;
    options.signal?.addEventListener('abort', stop);
    this.#watches.add(watching);
    try {
      yield* watching.changes();
    } finally {
      options.signal?.removeEventListener('abort', stop);
      watching.stop();
      this.#watches.delete(watching);
    }
  }

  /**
   * Keeps a client's settings as the JSON object at a path says: `{ "timeoutMs": 500, "balancer": "random" }`. What is
   * refused is reported, and the last good settings stay. Without the key the client is as it was made.
   */
  follow(
    path: string,
    target: Configurable,
    options: Pick<WatchOptions<object>, 'onBad'> = {},
  ): ConfigWatch<object> {
    // The target is the schema: what it takes is in force when the watch counts it as good.
    const schema = {
      parse(value: unknown): object {
        if (typeof value !== 'object' || value === null || Array.isArray(value))
          throw new TypeError('settings are a JSON object');
        target.configure(value);
        return value;
      },
    };
    const watching = this.#watching(checkPath(path), { ...options, as: 'json', schema }, true);
    const handler = ({ kind }: ConfigChange<object>) => {
      if (kind === 'deleted') target.configure({});
    };
    void this.#kept(watching, () => watching.deliver(handler));
    return watching;
  }

  /** Stops all watches of these paths; without a path all there are. */
  stopWatch(...paths: readonly string[]): void {
    for (const watching of this.#watches)
      if (paths.length === 0 || paths.includes(watching.path)) watching.stop();
  }

  /**
   * Reads everything that is watched anew, at once, whatever the watches wait for (a permission, say, of which they
   * cannot know that it is there now). Only what differs is told.
   */
  reset(): void {
    this.#generation = nextGeneration++;
    for (const watching of this.#watches) watching.reset();
  }

  /** Stops all watches; nothing can be asked any more. Harmless twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.stopWatch();
  }

  #watching<T>(path: string, options: WatchOptions<T>, exact: boolean): Watching<T> {
    this.#checkOpen();
    return new Watching<T>({
      path: exact ? checkPath(path) : checkScope(path),
      prefix: this.#prefix,
      reading: readingOf(options),
      exact,
      onBad: options.onBad,
      logger: this.#logger,
      read: (known, signal) =>
        snapshots(
          this.#client,
          {
            prefix: `${this.#prefix}${path}`,
            stale: this.#stale,
            lossGraceMs: this.#lossGraceMs,
            known,
            generation: this.#generation,
            logger: this.#logger,
          },
          signal,
        ),
    });
  }

  async #kept(watching: Running, run: () => Promise<void>): Promise<void> {
    this.#watches.add(watching);
    try {
      await run();
    } catch (error) {
      this.#logger.error('a watch of the configuration has ended', { path: watching.path, error });
    } finally {
      this.#watches.delete(watching);
    }
  }

  #keyOf(path: string): string {
    this.#checkOpen();
    return `${this.#prefix}${checkPath(path)}`;
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw new RpcError(Status.FAILED_PRECONDITION, 'the ConsulConfig is closed', { maybeExecuted: false });
  }
}

/** What is done to a watch whatever its values are. */
type Running = { readonly path: string; stop(): void; reset(): void };

/** Of all in the process, so that after a reset nobody shares with those who were not reset. */
let nextGeneration = 1;
