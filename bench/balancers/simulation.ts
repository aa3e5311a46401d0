import { RpcError } from '../../rpc/error.js';
import { silentLogger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { checkEjection } from '../../selector/ejection.js';
import type { Balancer } from '../../selector/balancer.js';
import { NodeLoad } from '../../selector/load.js';
import { createNode } from '../../selector/node.js';
import { balancerAlone, ServiceNodes } from '../../selector/service-nodes.js';
import { EventQueue } from './event-queue.js';

/** A server with a queue before so many workers. */
export type SimulatedServer = {
  readonly index: number;
  /** How much longer it takes than others at this moment. */
  slowness: number;
  /** The share of calls that it fails, in no time. */
  failing: number;
  /** Whether the registry lists it. */
  isListed: boolean;
  /** Whether it takes connections. */
  isUp: boolean;
  busy: number;
  readonly queue: (() => void)[];
  /** Keys in its cache, the one longest unused first; undefined for a service without. */
  cache: Set<number> | undefined;
  served: number;
};

export type Simulation = {
  readonly servers: readonly SimulatedServer[];
  readonly events: EventQueue;
  readonly random: () => number;
  /** Tells the clients what the registry lists. */
  list(): void;
};

export type Scenario = {
  readonly name: string;
  /** What happens, for people. */
  readonly story: string;
  readonly servers: number;
  /** Calls per second, of all clients. */
  readonly rate: number;
  readonly seconds: number;
  /** What is measured begins here. */
  readonly measureFromS: number;
  /** Of calls without a cache, or that the cache does not have. */
  readonly serviceMs: number;
  /** With a cache: how long a hit takes, and how many keys a server keeps. */
  readonly cache?: { readonly hitMs: number; readonly size: number };
  /** The key of a call. @default any of 100,000 */
  key?(random: () => number): number;
  /** Makes it happen. */
  begin(simulation: Simulation): void;
};

export type Outcome = {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Failed calls over all. */
  readonly errors: number;
  /** Calls of the most loaded server over the mean. */
  readonly maxOverMean: number;
  /** Calls of each server over all. */
  readonly shares: readonly number[];
  /** Calls that the caches had, over all; undefined without caches. */
  readonly hits: number | undefined;
};

const CLIENTS = 4;
const WORKERS = 2;
/** There and back. */
const NETWORK_MS = 0.5;
const TIMEOUT_MS = 2_000;
/** A server that is down refuses so soon. */
const REFUSED_MS = 0.2;

/**
 * A service and its clients in virtual time. The clients pick as in production: `ServiceNodes`, with ejection and slow
 * start, and the balancer in question; they do not send calls again. All chance comes from `random`.
 */
export function simulate(scenario: Scenario, create: () => Balancer, random: () => number): Outcome {
  const events = new EventQueue();
  const servers: SimulatedServer[] = Array.from({ length: scenario.servers }, (_, index) => ({
    index,
    slowness: 1,
    failing: 0,
    isListed: true,
    isUp: true,
    busy: 0,
    queue: [],
    cache: scenario.cache ? new Set() : undefined,
    served: 0,
  }));
  const byAddress = new Map(servers.map((server) => [addressOf(server), server]));
  const clients = Array.from({ length: CLIENTS }, () => {
    const loads = new Map(servers.map((server) => [addressOf(server), new NodeLoad(addressOf(server))]));
    const nodes = new ServiceNodes({
      service: 'simulated',
      balancer: create(),
      rules: { ...balancerAlone, ejection: checkEjection({}), slowStartMs: 5_000 },
      logger: silentLogger,
      loadOf: (address) => loads.get(address)!,
      random,
      now: () => events.now,
    });
    return { nodes, loads };
  });
  const list = () => {
    const listed = servers.filter(({ isListed }) => isListed);
    for (const { nodes } of clients)
      nodes.replace(listed.map((server) => createNode({ address: addressOf(server) })));
  };
  list();
  scenario.begin({ servers, events, random, list });

  const times: number[] = [];
  const counts = servers.map(() => 0);
  let failed = 0;
  let hits = 0;
  const isMeasured = () => events.now >= scenario.measureFromS * 1_000;

  const serviceMs = (server: SimulatedServer, key: number): number => {
    const { cache } = scenario;
    let mean = scenario.serviceMs;
    if (cache && server.cache) {
      if (server.cache.delete(key)) {
        mean = cache.hitMs;
        if (isMeasured()) hits++;
      }
      server.cache.add(key);
      if (server.cache.size > cache.size) server.cache.delete(server.cache.values().next().value!);
    }
    // An Erlang distribution of two phases: times vary, and none is nothing.
    return (-Math.log((1 - random()) * (1 - random())) / 2) * mean * server.slowness;
  };

  const work = (server: SimulatedServer, key: number, done: () => void) => {
    server.busy++;
    events.put(serviceMs(server, key), () => {
      server.busy--;
      server.served++;
      server.queue.shift()?.();
      done();
    });
  };

  const call = () => {
    const client = clients[Math.floor(random() * CLIENTS)]!;
    const key = scenario.key?.(random) ?? Math.floor(random() * 100_000);
    const began = events.now;
    const node = client.nodes.pick({ hashKey: `key ${key}` }, began)!;
    const server = byAddress.get(node.load.address)!;
    const measured = isMeasured();
    if (measured) counts[server.index]!++;
    let isOver = false;
    const end = (error: RpcError | undefined) => {
      if (isOver) return;
      isOver = true;
      node.ended(error, began, events.now);
      if (!measured) return;
      times.push(events.now - began);
      if (error) failed++;
    };
    node.began();
    if (!server.isUp) {
      events.put(REFUSED_MS, () => {
        end(new RpcError(Status.UNAVAILABLE, 'refused', { maybeExecuted: false }));
        setReachable(client, server, false);
      });
    } else if (random() < server.failing) {
      events.put(NETWORK_MS, () => end(new RpcError(Status.INTERNAL, 'failing')));
    } else {
      const start = () => {
        // Nobody waits for it any more.
        if (isOver) return server.queue.shift()?.();
        work(server, key, () => events.put(NETWORK_MS / 2, () => end(undefined)));
      };
      events.put(NETWORK_MS / 2, () => {
        if (server.busy < WORKERS) start();
        else server.queue.push(start);
      });
      events.put(TIMEOUT_MS, () => end(LATE));
    }
  };

  // Clients find a server that is back within a second.
  const setReachable = ({ nodes, loads }: (typeof clients)[number], server: SimulatedServer, is: boolean) => {
    const load = loads.get(addressOf(server))!;
    if (load.reachable === is) return;
    load.reachable = is;
    nodes.reachableChanged(load.address);
    if (!is) retry(() => setReachable({ nodes, loads }, server, true), server);
  };
  const retry = (back: () => void, server: SimulatedServer) =>
    events.put(500, () => (server.isUp ? back() : retry(back, server)));

  const arrive = () => {
    call();
    events.put((-Math.log(1 - random()) / scenario.rate) * 1_000, arrive);
  };
  events.put(0, arrive);
  events.runUntil(scenario.seconds * 1_000);

  const total = counts.reduce((sum, count) => sum + count, 0);
  const sorted = Float64Array.from(times).sort();
  const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
  return {
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    p999Ms: quantile(0.999),
    errors: failed / Math.max(1, times.length),
    maxOverMean: (Math.max(...counts) / total) * counts.length,
    shares: counts.map((count) => count / total),
    hits: scenario.cache ? hits / total : undefined,
  };
}

const LATE = new RpcError(Status.DEADLINE_EXCEEDED, 'late');
const addressOf = ({ index }: SimulatedServer): string => `10.0.0.${index + 1}:8000`;
