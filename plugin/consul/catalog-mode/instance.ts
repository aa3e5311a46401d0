import type { Logger } from '../../../rpc/log.js';
import type { Node } from '../../../selector/node.js';
import { createListedNode } from '../../node-data.js';
import type { AddressPolicy } from '../address-policy.js';
import type { Read } from '../found.js';
import { listingReader } from '../listing-reader.js';
import { WEIGHT_KEY, ZONE_KEY } from './definition.js';

/** `critical` is also what it is called under maintenance. */
export type InstanceHealth = 'passing' | 'warning' | 'critical';

/** One server of a service, as the catalog lists it. */
export interface Instance {
  readonly id: string;
  readonly health: InstanceHealth;
  /** Whether somebody has found it so; an agent that has just started calls everything critical that it must check first. */
  readonly isJudged: boolean;
  /** The name of the Consul node that checks it. */
  readonly host: string;
  readonly node: Node;
}

/** Reads listing after listing of one service. */
export type InstanceReader = (entries: readonly unknown[]) => readonly Instance[];

/** Skips what cannot be called, with a warning. */
export function instanceReader(service: string, logger: Logger, policy: AddressPolicy): InstanceReader {
  const read = listingReader<unknown, Instance>({
    logger,
    words: { all: 'instances in Consul', skipped: 'an instance in Consul that cannot be called' },
    place: { service },
    parse(entry) {
      const instance = parseInstance(service, entry);
      policy(instance.node.address);
      return instance;
    },
    describe(entry, at, reason) {
      const id = keyOf(entry) ?? String(at);
      return { key: id, content: reason, fields: { service, id } };
    },
  });
  return (entries) => {
    const byAddress = new Map<string, Instance>();
    for (const instance of read(entries)) {
      const other = byAddress.get(instance.node.address);
      // Two agents may list one server; the one that has moved to another agent fails with the first.
      if (!other || RANK[instance.health] < RANK[other.health])
        byAddress.set(instance.node.address, instance);
    }
    return [...byAddress.values()];
  };
}

const RANK: Readonly<Record<InstanceHealth, number>> = { passing: 0, warning: 1, critical: 2 };

/** @throws when it is not an instance of exactly this service at an address that can be called */
function parseInstance(service: string, entry: unknown): Instance {
  const { Node: rawHost, Service: rawService, Checks: checks } = record(entry, 'the entry');
  const host = record(rawHost, 'Node');
  const own = record(rawService, 'Service');
  // Consul does not tell upper case from lower.
  if (own.Service !== service)
    throw new SyntaxError(`is of the service ${JSON.stringify(String(own.Service).slice(0, 128))}`);
  const address = own.Address === '' || own.Address === undefined ? host.Address : own.Address;
  if (typeof address !== 'string' || address === '') throw new SyntaxError('no address');
  const { Port: port } = own;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65535)
    throw new SyntaxError(`port ${JSON.stringify(port)}`);
  const { health, isJudged } = verdictOf(checks);
  const { [ZONE_KEY]: zone, [WEIGHT_KEY]: weight, ...meta } = texts(own.Meta);
  const machineZone = texts(host.Meta)[ZONE_KEY];
  return {
    id: String(own.ID),
    health,
    isJudged,
    host: String(host.Node),
    node: createListedNode({
      address: { kind: 'tcp', host: address, port },
      weight: weightOf(health, weight, own.Weights),
      zone: zone ?? machineZone,
      tags: Array.isArray(own.Tags) ? own.Tags.filter((tag) => typeof tag === 'string') : [],
      meta,
    }),
  };
}

function weightOf(health: InstanceHealth, exact: string | undefined, weights: unknown): number {
  if (health === 'critical') return 0;
  const { Passing: passing, Warning: warning } = (weights ?? {}) as Record<string, unknown>;
  const wanted = exact !== undefined && /^\d/.test(exact) ? Number(exact) : number(passing);
  return health === 'passing' ? wanted : Math.min(wanted, number(warning));
}

const number = (value: unknown) => (typeof value === 'number' ? value : 1);

/** An instance is as well as the worst of its checks, those of its machine among them. */
function verdictOf(checks: unknown): Pick<Instance, 'health' | 'isJudged'> {
  let verdict: Pick<Instance, 'health' | 'isJudged'> = { health: 'passing', isJudged: true };
  for (const item of Array.isArray(checks) ? checks : []) {
    const check = (item ?? {}) as RawCheck;
    if (check.Status === 'critical' && !isUnmade(check)) return { health: 'critical', isJudged: true };
    if (check.Status === 'critical') verdict = { health: 'critical', isJudged: false };
    else if (check.Status === 'warning' && verdict.health === 'passing')
      verdict = { health: 'warning', isJudged: true };
  }
  return verdict;
}

/** A check that the agent makes by itself and has no output yet. Who fails a TTL check may do so without a word. */
const isUnmade = ({ CheckID: id, Type: type, Output: output }: RawCheck) =>
  output === '' &&
  typeof type === 'string' &&
  !['', 'ttl', 'maintenance'].includes(type) &&
  !String(id).startsWith('_');

type RawCheck = Readonly<Record<'CheckID' | 'Status' | 'Type' | 'Output', unknown>>;

/** Those that clients call; and of the others those that Consul has judged, not those that it has yet to look at. */
export function fitInstances(instances: readonly Instance[], passing: boolean): Read<Instance> {
  if (!passing) return { nodes: instances };
  const nodes = instances.filter(({ health }) => health === 'passing');
  const unfit = instances.filter(({ health, isJudged }) => health !== 'passing' && isJudged);
  return { nodes, drained: unfit.map(({ node }) => node.address).sort() };
}

/** Without a prototype, so that neither `__proto__` nor `constructor` is more than a key. */
function texts(value: unknown): Record<string, string> {
  const plain: Record<string, string> = Object.create(null);
  if (typeof value === 'object' && value !== null)
    for (const [key, text] of Object.entries(value)) if (typeof text === 'string') plain[key] = text;
  return plain;
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new SyntaxError(`${what} is no object`);
}

/** Tells an instance from all others: its Consul node, and its ID there. */
export function nameOfInstance(entry: unknown): string {
  const { Node: host, Service: service } = (entry ?? {}) as RawEntry;
  return `${String(host?.Node)}/${String(service?.ID)}`;
}

/** The Consul node in such a name. */
export const hostIn = (name: string): string => name.slice(0, name.indexOf('/'));

/** What tells an entry from the others in a log; undefined where that cannot be read. */
function keyOf(entry: unknown): string | undefined {
  const { Node: host, Service: service } = (entry ?? {}) as RawEntry;
  return typeof service?.ID === 'string' ? `${service.ID} on ${String(host?.Node)}` : undefined;
}

type RawEntry = { Node?: { Node?: unknown } | null; Service?: { ID?: unknown } | null };
