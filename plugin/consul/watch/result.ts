import {
  anything,
  bytes,
  duration,
  flag,
  integer,
  list,
  map,
  omitEmpty,
  pointer,
  struct,
  text,
  uint64,
  type ValueOf,
} from './shape.js';

// The fields of Go's `api` package in their order, since that is what `consul watch` prints.

export const kvPair = struct({
  Key: text,
  CreateIndex: integer,
  ModifyIndex: integer,
  LockIndex: integer,
  /** 64 bits, all of which locks use. */
  Flags: uint64,
  /** In base64; null when it is empty. */
  Value: bytes,
  /** The session that holds the key, or `''`. */
  Session: text,
});
export type KVPair = ValueOf<typeof kvPair>;

export const catalogNode = struct({
  ID: text,
  Node: text,
  Address: text,
  Datacenter: text,
  TaggedAddresses: map(text),
  Meta: map(text),
  CreateIndex: integer,
  ModifyIndex: integer,
});
export type CatalogNode = ValueOf<typeof catalogNode>;

const meshGateway = struct({ Mode: omitEmpty(text) });

const upstream = struct({
  DestinationType: omitEmpty(text),
  DestinationNamespace: omitEmpty(text),
  DestinationName: text,
  Datacenter: omitEmpty(text),
  LocalBindAddress: omitEmpty(text),
  LocalBindPort: omitEmpty(integer),
  Config: omitEmpty(map(anything)),
  MeshGateway: omitEmpty(meshGateway),
});

const proxy = struct({
  DestinationServiceName: omitEmpty(text),
  DestinationServiceID: omitEmpty(text),
  LocalServiceAddress: omitEmpty(text),
  LocalServicePort: omitEmpty(integer),
  Config: omitEmpty(map(anything)),
  Upstreams: omitEmpty(list(upstream)),
  MeshGateway: omitEmpty(meshGateway),
  Expose: omitEmpty(struct({ Checks: omitEmpty(flag), Paths: omitEmpty(list(anything)) })),
});

export const agentService = struct({
  Kind: omitEmpty(text),
  ID: text,
  Service: text,
  Tags: list(text),
  Meta: map(text),
  Port: integer,
  Address: text,
  TaggedAddresses: omitEmpty(map(struct({ Address: text, Port: integer }))),
  Weights: struct({ Passing: integer, Warning: integer }),
  EnableTagOverride: flag,
  CreateIndex: omitEmpty(integer),
  ModifyIndex: omitEmpty(integer),
  ContentHash: omitEmpty(text),
  Proxy: omitEmpty(pointer(proxy)),
  Connect: omitEmpty(pointer(struct({ Native: omitEmpty(flag), SidecarService: omitEmpty(anything) }))),
  Namespace: omitEmpty(text),
});
export type AgentService = ValueOf<typeof agentService>;

export const healthCheck = struct({
  Node: text,
  CheckID: text,
  Name: text,
  Status: text,
  Notes: text,
  Output: text,
  ServiceID: text,
  ServiceName: text,
  ServiceTags: list(text),
  Type: text,
  Namespace: omitEmpty(text),
  Definition: struct({
    Interval: duration,
    Timeout: duration,
    DeregisterCriticalServiceAfter: duration,
    HTTP: text,
    Header: map(list(text)),
    Method: text,
    Body: text,
    TLSSkipVerify: flag,
    TCP: text,
  }),
  CreateIndex: integer,
  ModifyIndex: integer,
});
export type HealthCheck = ValueOf<typeof healthCheck>;

export const serviceEntry = struct({
  Node: pointer(catalogNode),
  Service: pointer(agentService),
  Checks: list(healthCheck),
});
export type ServiceEntry = ValueOf<typeof serviceEntry>;

export const userEvent = struct({
  ID: text,
  Name: text,
  /** In base64; null when there is none. */
  Payload: bytes,
  NodeFilter: text,
  ServiceFilter: text,
  TagFilter: text,
  Version: integer,
  LTime: integer,
});
export type UserEvent = ValueOf<typeof userEvent>;

/** Tags of each service. */
export const serviceTags = map(list(text));
export type ServiceTags = Readonly<Record<string, readonly string[] | null>>;

/** What a plan of each type delivers. */
export type WatchResults = {
  /** Null when there is no such key. */
  readonly key: KVPair | null;
  readonly keyprefix: readonly KVPair[];
  readonly services: ServiceTags;
  readonly nodes: readonly CatalogNode[];
  readonly service: readonly ServiceEntry[];
  readonly checks: readonly HealthCheck[];
  /** Those that were not delivered before, the oldest first; at first all that the agent remembers. */
  readonly event: readonly UserEvent[];
  /** Null when the agent has no such service. */
  readonly agent_service: AgentService | null;
};

export type WatchType = keyof WatchResults;

/** X-Consul-Index; of `agent_service`, which has none, X-Consul-ContentHash (`''` when there is no such service). */
export type WatchIndex<T extends WatchType = WatchType> = T extends 'agent_service' ? string : bigint;
