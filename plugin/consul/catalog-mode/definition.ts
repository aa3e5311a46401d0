import { type Address, parseAddress } from '../../../rpc/address.js';
import { RpcError } from '../../../rpc/error.js';
import { Status } from '../../../rpc/status.js';
import type { NodeInit } from '../../../selector/node.js';
import { createListedNode } from '../../node-data.js';
import type { ServiceDefinition } from '../agent-service.js';
import { checkBody, type ServiceCheck } from './check.js';

/** Where the zone is kept, in the meta of a service or, for all of a machine, of its Consul node. */
export const ZONE_KEY = 'zone';
/** A weight that Consul's whole numbers from 1 up cannot say. */
export const WEIGHT_KEY = 'lictor-weight';

const MAX_META = 64;
const MAX_META_VALUE = 512;

/**
 * One service of a server as it is registered.
 * @param service a name that has been checked
 * @throws RpcError INVALID_ARGUMENT for an address that others cannot call, or meta that Consul would refuse
 */
export function serviceDefinition(
  service: string,
  init: NodeInit,
  check: ServiceCheck,
  deregisterAfterMs: number,
): ServiceDefinition {
  const { address, weight, zone, tags, meta } = createListedNode(init);
  const { host, port } = networked(parseAddress(address));
  const passing = Math.max(1, Math.round(weight));
  if (zone !== undefined && Object.hasOwn(meta, ZONE_KEY) && meta[ZONE_KEY] !== zone)
    throw refused(`meta ${JSON.stringify(ZONE_KEY)}: is where the zone is kept, and that is ${zone}`);
  const all = [
    ...Object.entries(meta),
    ...(zone === undefined ? [] : [[ZONE_KEY, zone] as const]),
    ...(passing === weight ? [] : [[WEIGHT_KEY, String(weight)] as const]),
  ];
  checkMeta(all);
  return {
    ID: instanceId(service, host, port),
    Name: service,
    Address: host,
    Port: port,
    Tags: tags,
    Meta: Object.fromEntries(all),
    Weights: { Passing: passing, Warning: 1 },
    Check: {
      Name: `${check.kind} check of ${service}`,
      ...checkBody(check, { kind: 'tcp', host, port }, service),
      ...(deregisterAfterMs === 0 ? {} : { DeregisterCriticalServiceAfter: `${deregisterAfterMs}ms` }),
    },
  };
}

/**
 * The same after a restart, so that a server takes the place of its crashed self. `~` is in neither a service's name
 * nor a host, so that two of them never make one ID.
 */
const instanceId = (service: string, host: string, port: number) =>
  `${service}~${host.replaceAll(/[^A-Za-z0-9_.-]/g, '_')}~${port}`;

function networked(address: Address): Address & { kind: 'tcp' } {
  if (address.kind === 'tcp') return address;
  throw refused(`unix:${address.path}: a unix socket cannot be reached through Consul`);
}

/** Consul's own limits; it would answer with a 400 that does not name the key. */
function checkMeta(entries: readonly (readonly [string, string])[]): void {
  const keys = new Set(entries.map(([key]) => key));
  if (keys.size > MAX_META) throw refused(`meta: Consul takes up to ${MAX_META} keys, got ${keys.size}`);
  for (const [key, value] of entries) {
    if (!/^[A-Za-z0-9_-]{1,128}$/.test(key) || key.startsWith('consul-'))
      throw refused(
        `meta ${JSON.stringify(key.slice(0, 128))}: Consul takes keys of 1 to 128 characters of A-Z a-z 0-9 _ -, not beginning with "consul-"`,
      );
    if (value.length > MAX_META_VALUE)
      throw refused(
        `meta ${JSON.stringify(key)}: Consul takes up to ${MAX_META_VALUE} characters, got ${value.length}`,
      );
  }
}

const refused = (text: string) => new RpcError(Status.INVALID_ARGUMENT, text, { maybeExecuted: false });
