import type { CommonOptions } from '../common-options.js';
import type { KvOnly } from '../kv-mode.js';
import { bad, checkMs, checkServiceCheck, type ServiceCheck } from './check.js';

/** What only catalog mode takes. */
export type CatalogOnly = {
  /** How the agent finds out whether a server is alive. @default { kind: 'ttl', ttlMs: 10_000 } */
  check?: ServiceCheck | undefined;
  /**
   * How long a server's check may fail until Consul forgets the server. Consul takes a minute at least, and looks
   * every 30 s; 0 is for never. @default 60_000
   */
  deregisterCriticalServiceAfterMs?: number | undefined;
  /**
   * Whether clients see only servers whose checks all pass. Else a warning counts with its own weight, and one that
   * fails has the weight 0, so that it is called only when all the others fail as well. @default true
   */
  passing?: boolean | undefined;
  /** Clients see only servers with all of these tags. */
  tags?: readonly string[] | undefined;
  /** Clients see only servers that Consul finds this expression true for: `Service.Meta.version == "2"`. */
  filter?: string | undefined;
  /** Clients get the list with the nearest to this node first, `_agent` for the agent's own. */
  near?: string | undefined;
};

export type CatalogOptions = CommonOptions & CatalogOnly & { mode: 'catalog' };

/** A table and not a list, so that the compiler finds what is missing. */
const ONLY: Readonly<Record<keyof CatalogOnly, true>> = {
  check: true,
  deregisterCriticalServiceAfterMs: true,
  passing: true,
  tags: true,
  filter: true,
  near: true,
};
const KV_ONLY: Readonly<Record<keyof KvOnly, true>> = {
  prefix: true,
  ttlMs: true,
  nodeChecks: true,
  startUnregistered: true,
};
const BOTH: Readonly<Record<keyof CommonOptions | 'mode', true>> = {
  mode: true,
  address: true,
  token: true,
  tokenFile: true,
  datacenter: true,
  tls: true,
  timeoutMs: true,
  stale: true,
  addressPolicy: true,
  snapshot: true,
  logger: true,
};

/**
 * Refuses what belongs to the other mode, or to none, which would else be dropped without a word.
 * @throws RpcError INVALID_ARGUMENT
 */
export function checkMode(options: Readonly<Record<string, unknown>>): void {
  const { mode = 'kv' } = options;
  if (mode !== 'kv' && mode !== 'catalog') throw bad('mode', '"kv" or "catalog"', mode);
  const known = { ...BOTH, ...(mode === 'kv' ? KV_ONLY : ONLY) };
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || Object.hasOwn(known, name)) continue;
    if (mode === 'kv' && Object.hasOwn(ONLY, name)) throw bad(name, 'only with mode "catalog"', value);
    throw bad(`mode "${mode}"`, `only ${Object.keys(known).join(', ')}`, name);
  }
}

/** @throws RpcError INVALID_ARGUMENT that says which option is wrong, and what it was */
export function checkCatalogOptions(options: CatalogOptions): void {
  const { check, deregisterCriticalServiceAfterMs: after, passing, tags, filter, near, stale } = options;
  if (check !== undefined) checkServiceCheck(check);
  if (after !== undefined && after !== 0) checkMs('deregisterCriticalServiceAfterMs', after, 1);
  for (const [name, value] of Object.entries({ passing, stale }))
    if (value !== undefined && typeof value !== 'boolean') throw bad(name, 'true or false', value);
  for (const [name, value] of Object.entries({ filter, near }))
    if (value !== undefined && (typeof value !== 'string' || value === '')) throw bad(name, 'a text', value);
  if (tags !== undefined && !(Array.isArray(tags) && tags.every((tag) => typeof tag === 'string' && tag)))
    throw bad('tags', 'a list of texts', tags);
}
