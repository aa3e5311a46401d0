import { type Logger, stderrLogger } from '../../../rpc/log.js';
import { checkServiceName } from '../../../rpc/name.js';
import type { Resolution } from '../../../selector/resolver.js';
import type { ResolverPlugin } from '../../plugin.js';
import { addressPolicy } from '../address-policy.js';
import { agentServiceOf } from '../agent-service.js';
import type { ChangeEvent } from '../changes.js';
import type { ConsulClient } from '../client.js';
import { type Found, followListing, toldOf, withSnapshot } from '../found.js';
import { healthOf, permissionToList } from '../health.js';
import { hiddenEntries } from '../hidden.js';
import { sharedChanges } from '../shared-changes.js';
import { checkFolder, snapshotIn } from '../snapshot.js';
import { bad, DEFAULT_TTL_MS, type ServiceCheck } from './check.js';
import { serviceDefinition } from './definition.js';
import { fitInstances, hostIn, type Instance, instanceReader, nameOfInstance } from './instance.js';
import { type CatalogOptions, checkCatalogOptions } from './options.js';
import { registerInstances } from './registration.js';

/** How often a server looks whether its agent still knows it, where no heartbeat finds that out. */
const LOOK_MS = 3_000;

/**
 * Consul's catalog as registry: one service with a check per server and service, listed while the check passes.
 * @throws RpcError INVALID_ARGUMENT for a bad option
 */
export function catalogMode(client: ConsulClient, options: CatalogOptions): ResolverPlugin {
  checkCatalogOptions(options);
  const { check = { kind: 'ttl' }, deregisterCriticalServiceAfterMs: after = 60_000 } = options;
  const { tags = [], filter, near, passing = true, snapshot } = options;
  const policy = addressPolicy(options.addressPolicy);
  if (snapshot !== undefined) checkFolder(snapshot);
  const agentService = agentServiceOf(client);
  const health = healthOf(client);
  warnOfShortTime(after, options.logger ?? stderrLogger);

  function resolutions(service: string, signal: AbortSignal): AsyncIterable<Resolution> {
    const found = nodesOf(instancesOf(client, service, options, signal));
    if (snapshot === undefined) return toldOf(found, signal);
    const { datacenter = '', logger = stderrLogger } = options;
    const place = JSON.stringify([client.agent, datacenter, 'catalog', service, passing, tags, filter]);
    const saved = snapshotIn(snapshot, place, policy, logger);
    return toldOf(withSnapshot(found, saved, client.agent), signal);
  }

  return {
    kind: 'resolver',
    name: 'consul',
    watch: (service, signal) => resolutions(checkServiceName(service), signal),
    describe: (service) => {
      const wanted = [
        passing ? 'with passing checks' : 'whatever their checks say',
        ...tags.map((tag) => `tag ${JSON.stringify(tag)}`),
        ...(filter === undefined ? [] : [`filter ${filter}`]),
        ...(near === undefined ? [] : [`near ${near}`]),
      ];
      return `consul at ${client.agent}, instances of ${JSON.stringify(service)} in the catalog, ${wanted.join(', ')}`;
    },
    async init({ services, logger, ...init }) {
      const names = [...new Set(services)].map((service) => checkServiceName(service));
      refuseSameLetters(names);
      return registerInstances(agentService, health, {
        agent: client.agent,
        definitions: names.map((service) => serviceDefinition(service, init, check, after)),
        heartbeat: check.kind === 'ttl',
        beatMs: beatMsOf(check),
        timeoutMs: client.timeoutMs,
        logger,
      });
    },
  };
}

/** What the catalog says of a service, now and at every change; shared by all in the process who ask the same. */
export function instancesOf(
  client: ConsulClient,
  service: string,
  options: Pick<
    CatalogOptions,
    'passing' | 'tags' | 'filter' | 'near' | 'stale' | 'addressPolicy' | 'logger'
  >,
  signal: AbortSignal,
): AsyncIterable<ChangeEvent<Found<Instance>>> {
  const { passing = true, tags = [], filter, near, stale = true, logger = stderrLogger } = options;
  const health = healthOf(client);
  const policy = addressPolicy(options.addressPolicy);
  const asked = [client.identity, 'catalog', service, passing, tags, filter, near, stale];
  const key = JSON.stringify([...asked, options.addressPolicy]);
  const make = (stop: AbortSignal) => {
    const read = instanceReader(service, logger, policy);
    return followListing(
      {
        // Not with Consul's own `passing`: an instance that fails is to be told from one that is gone.
        ask: (how) => health.service(service, { tags, filter, near, stale, ...how }),
        nameOf: nameOfInstance,
        hidden: hiddenEntries(client, {
          what: `list the instances of ${JSON.stringify(service)}`,
          permission: permissionToList(service),
          rightsFor: (lost) => [
            { resource: 'service', name: service },
            ...lost.map((name) => ({ resource: 'node', name: hostIn(name) }) as const),
          ],
        }),
        read: (entries) => {
          const instances = read(entries);
          return fitInstances(near === undefined ? byAddress(instances) : instances, passing);
        },
        agent: client.agent,
      },
      stop,
    );
  };
  return sharedChanges(key, make, signal);
}

async function* nodesOf(
  events: AsyncIterable<ChangeEvent<Found<Instance>>>,
): AsyncGenerator<ChangeEvent<Found>, void, undefined> {
  for await (const event of events) {
    if (event.kind === 'failure') yield event;
    else yield { kind: 'value', value: { ...event.value, nodes: event.value.nodes.map(({ node }) => node) } };
  }
}

/** The same set is the same list, whatever the order in which Consul gives it. */
const byAddress = (instances: readonly Instance[]) =>
  [...instances].sort((a, b) => (a.node.address < b.node.address ? -1 : 1));

/** A third of the TTL leaves time for two more tries. */
const beatMsOf = (check: ServiceCheck) =>
  check.kind === 'ttl' ? Math.floor((check.ttlMs ?? DEFAULT_TTL_MS) / 3) : LOOK_MS;

function warnOfShortTime(afterMs: number, logger: Logger): void {
  if (afterMs === 0 || afterMs >= 60_000) return;
  logger.warn('Consul forgets a critical service after a minute at the earliest', {
    deregisterCriticalServiceAfterMs: afterMs,
  });
}

/** Consul does not tell upper case from lower: the second of two such services would take the place of the first. */
function refuseSameLetters(names: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const name of names) {
    const other = seen.get(name.toLowerCase());
    if (other !== undefined) throw bad('services', 'names that Consul can tell apart', [other, name]);
    seen.set(name.toLowerCase(), name);
  }
}
