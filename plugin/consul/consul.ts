import { isDeepStrictEqual } from 'node:util';
import { RpcError } from '../../rpc/error.js';
import { type Logger, stderrLogger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import type { Resolution } from '../../selector/resolver.js';
import type { ResolverPlugin } from '../plugin.js';
import { parseAgentAddress } from './agent-address.js';
import { createConsulClient } from './client.js';
import { checkPrefix, entryReader, folderOf, formatEntry } from './entry.js';
import { register } from './registration.js';
import { watch } from './watch.js';

export type ConsulOptions = {
  /** The agent: `host:port`, `http://host:port` or `https://host:port`. @default CONSUL_HTTP_ADDR, else '127.0.0.1:8500' */
  address?: string | undefined;
  /** ACL token; sent as a header only, and never shown. @default CONSUL_HTTP_TOKEN */
  token?: string | undefined;
  /** @default the agent's own */
  datacenter?: string | undefined;
  /**
   * Stands before the service in every key: with `'services/'` a server is `services/helloworld.Greeter/host:port`.
   * Ends in `/`. @default ''
   */
  prefix?: string | undefined;
  /** For one answer of the agent, in milliseconds. A server without a leader takes 7 s to say so. @default 10_000 */
  timeoutMs?: number | undefined;
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
  const {
    address = process.env.CONSUL_HTTP_ADDR || '127.0.0.1:8500',
    token = process.env.CONSUL_HTTP_TOKEN || undefined,
    datacenter,
    timeoutMs = 10_000,
    stale = true,
    logger = stderrLogger,
  } = options;
  if (!(timeoutMs > 0 && timeoutMs <= 2 ** 31 - 1))
    throw new RangeError(`timeoutMs: milliseconds above 0, got ${timeoutMs}`);
  const prefix = checkPrefix(options.prefix ?? '');
  const client = createConsulClient({
    address: parseAgentAddress(address),
    token: checkToken(token),
    datacenter,
    timeoutMs,
  });

  async function* resolutions(folder: string, signal: AbortSignal): AsyncGenerator<Resolution> {
    const read = entryReader(folder, logger);
    const changes = watch(
      async (since, signal) => {
        const { entries, index, knownLeader } = await client.list(folder, { since, stale, signal });
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
    for await (const change of changes) {
      yield change.kind === 'value' ? { kind: 'nodes', nodes: change.value } : change;
    }
  }

  return {
    kind: 'resolver',
    name: 'consul',
    watch: (service, signal) => resolutions(folderOf(prefix, service), signal),
    describe: (service) => `consul at ${client.agent}, keys under ${JSON.stringify(`${prefix}${service}/`)}`,
    async init({ services, logger, ...node }) {
      const folders = [...new Set(services)].map((service) => folderOf(prefix, service));
      const { address, value } = formatEntry(node);
      return register(client, {
        keys: folders.map((folder) => `${folder}${address}`),
        value,
        timeoutMs,
        logger,
      });
    },
  };
}

/** Only closures hold the token, so that neither printing nor serializing the plugin can show it. */
function checkToken(token: string | undefined): string | undefined {
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token;
  throw new RpcError(Status.INVALID_ARGUMENT, 'token of Consul: printable ASCII without spaces is wanted', {
    maybeExecuted: false,
  });
}
