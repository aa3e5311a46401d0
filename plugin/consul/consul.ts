import { isDeepStrictEqual } from 'node:util';
import { RpcError } from '../../rpc/error.js';
import { type Logger, stderrLogger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import type { Node } from '../../selector/node.js';
import type { Resolution } from '../../selector/resolver.js';
import type { ResolverPlugin } from '../plugin.js';
import { type ChangeEvent, changes } from './changes.js';
import { type ConsulConnection, connectConsul } from './connection.js';
import { checkPrefix, entryReader, folderOf, formatEntry } from './entry.js';
import { kvOf } from './kv.js';
import { register } from './registration.js';
import { sharedChanges } from './shared-changes.js';

export * as watch from './watch/watch.js';

export type ConsulOptions = ConsulConnection & {
  /**
   * Stands before the service in every key: with `'services/'` a server is `services/helloworld.Greeter/host:port`.
   * Ends in `/`. @default ''
   */
  prefix?: string | undefined;
  /** Whether clients are told what any Consul server knows, which goes on working without a leader. @default true */
  stale?: boolean | undefined;
  /** Where warnings of bad entries go. @default one line of JSON on stderr */
  logger?: Logger | undefined;
};

/**
 * Consul's key-value store as registry: one key `<prefix><service>/<host:port>` per server and service, whose value is
 * the address, or JSON when the server has a weight, zone, tags or meta.
 *
 * Entries stay until the server deregisters them: after a crash they have to be deleted by hand.
 * @throws RpcError INVALID_ARGUMENT for a bad address or prefix; RangeError for a bad time-out
 */
export function consul(options: ConsulOptions = {}): ResolverPlugin {
  const { stale = true, logger = stderrLogger } = options;
  const prefix = checkPrefix(options.prefix ?? '');
  const client = connectConsul(options);
  const kv = kvOf(client);

  async function* resolutions(folder: string, signal: AbortSignal): AsyncGenerator<Resolution> {
    const key = JSON.stringify([client.identity, 'kv', folder, stale]);
    for await (const change of sharedChanges(key, (stop) => nodesIn(folder, stop), signal)) {
      yield change.kind === 'value' ? { kind: 'nodes', nodes: change.value } : change;
    }
  }

  function nodesIn(folder: string, signal: AbortSignal): AsyncIterable<ChangeEvent<readonly Node[]>> {
    const read = entryReader(folder, logger);
    return changes(
      async (since, signal) => {
        const { entries, index, knownLeader } = await kv.list(folder, { since, stale, signal });
        // A server that has just started knows nothing until there is a leader.
        if (entries.length === 0 && !knownLeader) {
          throw new RpcError(
            Status.UNAVAILABLE,
            `consul at ${client.agent}: has no cluster leader, so an empty list is not believed`,
            {
              maybeExecuted: false,
            },
          );
        }
        return { index, value: read(entries) };
      },
      { signal, same: isDeepStrictEqual },
    );
  }

  return {
    kind: 'resolver',
    name: 'consul',
    watch: (service, signal) => resolutions(folderOf(prefix, service), signal),
    describe: (service) => `consul at ${client.agent}, keys under ${JSON.stringify(`${prefix}${service}/`)}`,
    async init({ services, logger, ...node }) {
      const folders = [...new Set(services)].map((service) => folderOf(prefix, service));
      const { address, value } = formatEntry(node);
      return register(kv, client.agent, {
        keys: folders.map((folder) => `${folder}${address}`),
        value,
        timeoutMs: client.timeoutMs,
        logger,
      });
    },
  };
}
