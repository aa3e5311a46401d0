import type { ConsulClient } from './client.js';
import { BadAnswer } from './guard.js';

export type CatalogQuery = {
  filter?: string | undefined;
  since?: bigint | undefined;
  waitMs?: number | undefined;
  stale?: boolean | undefined;
  signal?: AbortSignal | undefined;
};

export interface CatalogAnswer<T> {
  readonly value: T;
  readonly index: bigint | undefined;
}

/** A machine with an agent. */
export interface CatalogNode {
  readonly name: string;
  readonly address: string;
  readonly datacenter: string;
  readonly meta: Readonly<Record<string, unknown>>;
}

/** What is registered with a datacenter, whether its checks pass or not. */
export function catalogOf(client: ConsulClient) {
  return {
    /** The names of all services that the token may read, with the tags of their instances. */
    services({
      filter,
      ...options
    }: CatalogQuery = {}): Promise<CatalogAnswer<ReadonlyMap<string, readonly string[]>>> {
      return client.send({
        method: 'GET',
        path: '/catalog/services',
        ...(filter === undefined ? {} : { query: { filter } }),
        what: 'list the services of the catalog',
        permission: 'service_prefix "" { policy = "read" }',
        ...options,
        read: (answer) => ({ value: servicesOf(answer.json()), index: answer.index }),
      });
    },

    nodes({ filter, ...options }: CatalogQuery = {}): Promise<CatalogAnswer<readonly CatalogNode[]>> {
      return client.send({
        method: 'GET',
        path: '/catalog/nodes',
        ...(filter === undefined ? {} : { query: { filter } }),
        what: 'list the nodes of the catalog',
        permission: 'node_prefix "" { policy = "read" }',
        ...options,
        read: (answer) => ({ value: nodesOf(answer.json()), index: answer.index }),
      });
    },
  };
}

function servicesOf(services: unknown): ReadonlyMap<string, readonly string[]> {
  if (typeof services !== 'object' || services === null || Array.isArray(services))
    throw new BadAnswer('not a table of services');
  return new Map(
    Object.entries(services).map(([name, tags]) => {
      if (!Array.isArray(tags)) throw new BadAnswer('not a table of services');
      return [name, tags.filter((tag) => typeof tag === 'string')];
    }),
  );
}

function nodesOf(nodes: unknown): readonly CatalogNode[] {
  if (!Array.isArray(nodes)) throw new BadAnswer('not a list of nodes');
  return nodes.map((item: unknown) => {
    const { Node: name, Address: address, Datacenter: datacenter, Meta: meta } = (item ?? {}) as RawNode;
    if (typeof name !== 'string' || typeof address !== 'string' || typeof datacenter !== 'string')
      throw new BadAnswer('not a list of nodes');
    return { name, address, datacenter, meta: { ...(meta as object | null | undefined) } };
  });
}

type RawNode = Readonly<Record<'Node' | 'Address' | 'Datacenter' | 'Meta', unknown>>;
