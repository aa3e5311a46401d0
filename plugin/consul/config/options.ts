import type { Logger } from '../../../rpc/log.js';
import type { ConsulConnection } from '../connection.js';
import type { ReadingOptions } from './reading.js';
import type { BadValue } from './tracker.js';

export type ConsulConfigOptions = ConsulConnection & {
  /** Stands before every path: with `app`, the path `database` is the key `app/database`. @default '' */
  prefix?: string | undefined;
  /** Whether watches take what any Consul server knows, which goes on working without a leader. @default true */
  stale?: boolean | undefined;
  /**
   * How long values are kept, in milliseconds, when all of them vanish after an outage or without a deletion: Consul
   * has lost its data, or the token its rights. 0 believes it at once, Infinity never. @default 60_000
   */
  lossGraceMs?: number | undefined;
  /** Where outages, bad values and handlers that throw are reported. @default one line of JSON on stderr */
  logger?: Logger | undefined;
};

/** A value with its version. */
export type ConfigEntry<T = unknown> = {
  readonly path: string;
  /** Undefined when there is none. */
  readonly value: T | undefined;
  /** For a check-and-set; 0n when there is no such key. */
  readonly version: bigint;
};

export type GetOptions<T> = ReadingOptions<T> & { signal?: AbortSignal | undefined };

export type PutOptions = {
  /** Only when the key is still at this version; 0n: only when there is no such key. */
  cas?: bigint;
  /** The same, with what `entry` or `list` gave. */
  ifUnchanged?: { readonly version: bigint };
  signal?: AbortSignal | undefined;
};

export type WatchOptions<T> = ReadingOptions<T> & {
  /** Told of each value that is refused, once; it is in the log as well. */
  onBad?: ((bad: BadValue<T>) => void) | undefined;
};

/** Whoever takes settings as one whole, and refuses bad ones without having taken a part: a `Client`. */
export interface Configurable {
  /** @throws for settings that are refused */
  configure(settings: object): void;
}

/** @throws TypeError for a condition that would be none */
export function versionOf(options: PutOptions): bigint | undefined {
  if ('ifUnchanged' in options && 'cas' in options)
    throw new TypeError('cas and ifUnchanged: only one of them is wanted');
  const given = 'ifUnchanged' in options ? options.ifUnchanged?.version : options.cas;
  if (given === undefined && !('ifUnchanged' in options) && !('cas' in options)) return undefined;
  if (typeof given === 'bigint' && given >= 0n) return given;
  throw new TypeError(`cas, ifUnchanged: a version from entry() or list() is wanted, got ${String(given)}`);
}
