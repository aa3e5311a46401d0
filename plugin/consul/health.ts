import type { Answer } from './answer.js';
import type { ConsulClient } from './client.js';
import { BadAnswer } from './guard.js';
import { type Listing, trustOf } from './listing.js';

export type HealthQuery = {
  /** Only those whose checks all pass. @default false */
  passing?: boolean | undefined;
  /** All of them are wanted. */
  tags?: readonly string[] | undefined;
  /** An expression of Consul's: `Service.Meta.version == "2"`. */
  filter?: string | undefined;
  /** A node that the list is sorted by the distance from, `_agent` for the agent's own. */
  near?: string | undefined;
  /** @default the client's; '' for the agent's own */
  datacenter?: string | undefined;
  since?: bigint | undefined;
  waitMs?: number | undefined;
  stale?: boolean | undefined;
  signal?: AbortSignal | undefined;
};

/** What the checks of a catalog say. */
export function healthOf(client: ConsulClient) {
  return {
    /**
     * Instances with their checks at one moment, each as Consul writes it: `{ Node, Service, Checks }`. A service that is
     * not known is an empty listing, and so is one that the token may not read.
     */
    service(name: string, query: HealthQuery = {}): Promise<Listing> {
      const { passing = false, tags = [], filter, near, datacenter, ...options } = query;
      return client.send({
        method: 'GET',
        path: '/health/service/{name}',
        params: { name },
        query: {
          ...(passing ? { passing: '1' } : {}),
          ...(tags.length === 0 ? {} : { tag: tags }),
          ...(filter === undefined ? {} : { filter }),
          ...(near === undefined ? {} : { near }),
          ...(datacenter === undefined ? {} : { dc: datacenter }),
        },
        what: `list the instances of ${JSON.stringify(name)}`,
        permission: permissionToList(name),
        ...options,
        read: listingOf,
      });
    },
  };
}

export const permissionToList = (service: string) =>
  `service ${JSON.stringify(service)} { policy = "read" } and node_prefix "" { policy = "read" }`;

export type HealthApi = ReturnType<typeof healthOf>;

function listingOf(answer: Answer): Listing {
  const entries = answer.json();
  if (!Array.isArray(entries)) throw new BadAnswer('not a list of instances');
  return { entries, ...trustOf(answer) };
}
