import { stderrLogger } from '../../rpc/log.js';
import type { Node } from '../../selector/node.js';
import type { Resolution } from '../../selector/resolver.js';
import type { ResolverPlugin } from '../plugin.js';
import { addressPolicy } from './address-policy.js';
import type { ConsulClient } from './client.js';
import type { CommonOptions } from './common-options.js';
import { checkPrefix, entryReader, folderOf, formatEntry } from './entry.js';
import { followListing, toldOf, withSnapshot } from './found.js';
import { hiddenFolder } from './hidden-keys.js';
import { type KeyValue, kvOf } from './kv.js';
import { registerPlain } from './plain-registration.js';
import { register } from './registration.js';
import { sharedChanges } from './shared-changes.js';
import { checkFolder, snapshotIn } from './snapshot.js';

/** What only KV mode takes. */
export type KvOnly = {
  /**
   * Stands before the service in every key: with `'services/'` a server is `services/helloworld.Greeter/host:port`.
   * Ends in `/`. @default ''
   */
  prefix?: string | undefined;
  /**
   * A server's entries are held by a session that it renews every third of this, and are gone twice this after a crash.
   * From 10 s (less where the agent's `session_ttl_min` says so) to 24 h; 0 writes plain keys that stay until they are
   * deleted. @default 10_000
   */
  ttlMs?: number | undefined;
  /**
   * Checks of the agent's node that end the session when they fail: with `['serfHealth']` entries go as soon as the
   * machine is gone, but also whenever the agent is. @default none, so that the TTL alone decides
   */
  nodeChecks?: readonly string[] | undefined;
  /**
   * Whether a server that could not be registered within `timeoutMs` starts all the same, and goes on trying.
   * @default false: the start fails
   */
  startUnregistered?: boolean | undefined;
};

/**
 * Consul's key-value store as registry: one key `<prefix><service>/<host:port>` per server and service, whose value is
 * the address, or JSON when the server has a weight, zone, tags or meta. A session of the server holds its entries:
 * they go away after a crash, and come back whenever Consul has lost them.
 * @throws RpcError INVALID_ARGUMENT for a bad prefix; RangeError for a bad time or list of checks
 */
export function kvMode(client: ConsulClient, options: CommonOptions & KvOnly): ResolverPlugin {
  const { stale = true, logger = stderrLogger, snapshot } = options;
  const { ttlMs, nodeChecks, startUnregistered } = checkRegistering(options);
  const prefix = checkPrefix(options.prefix ?? '');
  const policy = addressPolicy(options.addressPolicy);
  if (snapshot !== undefined) checkFolder(snapshot);
  const kv = kvOf(client);

  function resolutions(folder: string, signal: AbortSignal): AsyncIterable<Resolution> {
    const key = JSON.stringify([client.identity, 'kv', folder, stale, options.addressPolicy, snapshot]);
    const make = (stop: AbortSignal) => {
      const read = entryReader(folder, logger, policy);
      const found = followListing<KeyValue, Node>(
        {
          ask: (how) => kv.list(folder, { ...how, stale }),
          nameOf: ({ key }) => key,
          hidden: hiddenFolder(kv, folder, stale),
          read: (entries) => ({ nodes: read(entries) }),
          agent: client.agent,
        },
        stop,
      );
      if (snapshot === undefined) return found;
      const place = JSON.stringify([client.agent, options.datacenter ?? '', folder]);
      return withSnapshot(found, snapshotIn(snapshot, place, policy, logger), client.agent);
    };
    return toldOf(sharedChanges(key, make, signal), signal);
  }

  return {
    kind: 'resolver',
    name: 'consul',
    watch: (service, signal) => resolutions(folderOf(prefix, service), signal),
    describe: (service) => `consul at ${client.agent}, keys under ${JSON.stringify(`${prefix}${service}/`)}`,
    async init({ services, logger, ...node }) {
      const folders = [...new Set(services)].map((service) => folderOf(prefix, service));
      const { address, value } = formatEntry(node);
      const keys = folders.map((folder) => `${folder}${address}`);
      return ttlMs === 0
        ? registerPlain(client, kv, { keys, value, logger })
        : register(client, kv, { keys, value, address, ttlMs, nodeChecks, startUnregistered, logger });
    },
  };
}

const MAX_TTL_MS = 24 * 60 * 60 * 1_000;

/** How short a TTL may be the agent says when it is asked; Consul itself knows none below a second. */
function checkRegistering({ ttlMs = 10_000, nodeChecks = [], startUnregistered = false }: KvOnly) {
  if (ttlMs !== 0 && !(Number.isInteger(ttlMs) && ttlMs >= 1_000 && ttlMs <= MAX_TTL_MS)) {
    throw new RangeError(
      `ttlMs: 0, or whole milliseconds from 10,000 (1,000 where the agent allows it) to ${MAX_TTL_MS}, got ${ttlMs}`,
    );
  }
  if (!Array.isArray(nodeChecks) || !nodeChecks.every((check) => typeof check === 'string' && check !== ''))
    throw new RangeError(`nodeChecks: a list of names of checks, got ${JSON.stringify(nodeChecks)}`);
  if (typeof startUnregistered !== 'boolean')
    throw new RangeError(`startUnregistered: true or false, got ${JSON.stringify(startUnregistered)}`);
  return { ttlMs, nodeChecks, startUnregistered };
}
