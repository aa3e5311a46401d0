import type { ResolverPlugin } from '../plugin.js';
import { catalogMode } from './catalog-mode/catalog-mode.js';
import { type CatalogOnly, type CatalogOptions, checkMode } from './catalog-mode/options.js';
import type { CommonOptions } from './common-options.js';
import { connectConsul } from './connection.js';
import { type KvOnly, kvMode } from './kv-mode.js';

/** Two modes, which find only their own servers. Options of one are refused in the other. */
export type ConsulOptions = KvOptions | (CatalogOptions & None<KvOnly>);

/** Servers are keys of Consul's key-value store. */
export type KvOptions = CommonOptions & KvOnly & None<CatalogOnly> & { mode?: 'kv' | undefined };

/** The properties of the other mode, which must not be given. */
type None<T> = { [K in keyof T]?: undefined };

export type { ServiceCheck } from './catalog-mode/check.js';
export type { CatalogOptions };

/**
 * Consul as registry: its key-value store (`mode: 'kv'`) or its catalog (`mode: 'catalog'`).
 *
 * The watches of a process share one connection for each service, whatever the number of clients. An agent takes 200
 * connections from one address unless its `limits.http_max_conns_per_client` says otherwise, so processes of one
 * machine should watch no more services than that together.
 * @throws RpcError INVALID_ARGUMENT or RangeError for a bad option
 */
export function consul(options: ConsulOptions = {}): ResolverPlugin {
  checkMode(options);
  const client = connectConsul(options);
  return options.mode === 'catalog' ? catalogMode(client, options) : kvMode(client, options);
}
