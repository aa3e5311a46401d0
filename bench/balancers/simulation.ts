import { RpcError } from '../../rpc/error.js';
import { silentLogger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import type { BalancerName } from '../../selector/balancer/named.js';
import { checkEjection } from '../../selector/ejection.js';
import { NodeLoad } from '../../selector/load.js';
import { createNode } from '../../selector/node.js';
import { balancerAlone } from '../../selector/pick-rules.js';
import { ServiceNodes } from '../../selector/service-nodes.js';
import { EventQueue } from './event-queue.js';
import { addressOf, create, isKeyed } from './subjects.js';

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
  /** Each begins its call, and says whether anybody still waits for it. */
  readonly queue: (() => boolean)[];
  /** Keys in its cache, the one longest unused first. */
  readonly cache: Set<number>;
};

export type Simulation = {
  readonly servers: readonly SimulatedServer[];
  readonly events: EventQueue;
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
  /** Calls before are not measured. */
  readonly measureFromS: number;
  /** The mean of calls without a cache, or that the cache does not have. */
  readonly serviceMs: number;
  /** With a cache: how long a hit takes, and how many keys a server keeps. */
  readonly cache?: { readonly hitMs: number; readonly size: number };
  /** The server that becomes ill, if it is one. */
  readonly ill?: number;
  /** Whether nodes that fail are ejected. @default true */
  readonly ejects?: boolean;
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
  /** Calls of the server that is ill over all; null when none is. */
  readonly illShare: number | null;
  /** Calls that the caches had, over all; null without caches. */
  readonly hits: number | null;
  readonly calls: number;
};

export const CLIENTS = 4;
export const WORKERS = 2;
export const TIMEOUT_MS = 2_000;
/** There and back. */
const NETWORK_MS = 0.5;
/** A server that is down refuses so soon. */
const REFUSED_MS = 0.2;
/** A client tries to connect again so often. */
const RECONNECT_MS = 500;

/**
 * A service and its clients in virtual time. The clients pick as in production: `ServiceNodes`, with ejection and slow
 * start as by default, and the balancer in question; they do not send calls again. All chance comes from `random`.
 */
export function simulate(scenario: Scenario, balancer: BalancerName, random: () => number): Outcome {
  const events = new EventQueue();
  const servers: SimulatedServer[] = Array.from({ length: scenario.servers }, (_, index) => ({
    index,
    slowness: 1,
    failing: 0,
    isListed: true,
    isUp: true,
    busy: 0,
    queue: [],
    cache: new Set(),
  }));
  const byAddress = new Map(servers.map((server) => [addressOf(server.index), server]));
  const ejection = checkEjection(scenario.ejects === false ? false : {});
  const clients = Array.from({ length: CLIENTS }, () => {
    const loads = new Map([...byAddress.keys()].map((address) => [address, new NodeLoad(address)]));
    const nodes = new ServiceNodes({
      service: 'simulated',
      balancer: create(balancer, random),
      rules: { ...balancerAlone, ejection, slowStartMs: 5_000 },
      logger: silentLogger,
      loadOf: (address) => loads.get(address)!,
      random,
      now: () => events.now,
    });
    return { nodes, loads };
  });
  const list = () => {
    const listed = servers.filter(({ isListed }) => isListed).map(({ index }) => addressOf(index));
    for (const { nodes } of clients) nodes.replace(listed.map((address) => createNode({ address })));
  };
  list();
  scenario.begin({ servers, events, list });

  const times: number[] = [];
  const counts = servers.map(() => 0);
  let failed = 0;
  let hits = 0;
  const hasKey = isKeyed(balancer);
  const { cache, measureFromS, seconds, serviceMs } = scenario;

  /** Whether the cache has it; it does from now on. */
  const isHit = (server: SimulatedServer, key: number): boolean => {
    if (!cache) return false;
    const had = server.cache.delete(key);
    server.cache.add(key);
    if (server.cache.size > cache.size) server.cache.delete(server.cache.values().next().value!);
    return had;
  };

  const call = () => {
    const { nodes, loads } = clients[Math.floor(random() * CLIENTS)]!;
    const key = scenario.key?.(random) ?? Math.floor(random() * 100_000);
    const began = events.now;
    const node = nodes.pick(hasKey ? { hashKey: `key ${key}` } : {}, began)!;
    const server = byAddress.get(node.load.address)!;
    const isMeasured = began >= measureFromS * 1_000;
    if (isMeasured) counts[server.index]!++;
    let isOver = false;
    const end = (error: RpcError | undefined) => {
      if (isOver) return;
      isOver = true;
      node.ended(error, began, events.now);
      if (!isMeasured) return;
      times.push(events.now - began);
      if (error) failed++;
    };
    const setReachable = (is: boolean) => {
      if (node.load.reachable === is) return;
      loads.get(node.load.address)!.reachable = is;
      nodes.reachableChanged(node.load.address);
      if (!is) reconnect();
    };
    const reconnect = () => events.put(RECONNECT_MS, () => (server.isUp ? setReachable(true) : reconnect()));
    const start = () => {
      if (isOver) return false;
      const hit = isHit(server, key);
      if (hit && isMeasured) hits++;
      server.busy++;
      const mean = (hit ? cache!.hitMs : serviceMs) * server.slowness;
      events.put(erlang(mean, random), () => {
        server.busy--;
        while (server.queue.length > 0 && !server.queue.shift()!());
        events.put(NETWORK_MS / 2, () => end(undefined));
      });
      return true;
    };

    node.began();
    if (!server.isUp) {
      events.put(REFUSED_MS, () => {
        end(new RpcError(Status.UNAVAILABLE, 'refused', { maybeExecuted: false }));
        setReachable(false);
      });
    } else if (random() < server.failing) {
      events.put(NETWORK_MS, () => end(FAILED));
    } else {
      events.put(NETWORK_MS / 2, () => (server.busy < WORKERS ? start() : server.queue.push(start)));
      events.put(TIMEOUT_MS, () => end(LATE));
    }
  };

  const arrive = () => {
    if (events.now >= seconds * 1_000) return;
    call();
    events.put((-Math.log(1 - random()) / scenario.rate) * 1_000, arrive);
  };
  events.put(0, arrive);
  // All calls have ended then.
  events.runUntil(seconds * 1_000 + TIMEOUT_MS + 1);

  const calls = times.length;
  const sorted = Float64Array.from(times).sort();
  const quantile = (q: number) => sorted[Math.min(calls - 1, Math.floor(calls * q))] ?? 0;
  return {
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    p999Ms: quantile(0.999),
    errors: failed / calls,
    maxOverMean: (Math.max(...counts) / calls) * counts.length,
    illShare: scenario.ill === undefined ? null : counts[scenario.ill]! / calls,
    hits: cache ? hits / calls : null,
    calls,
  };
}

const FAILED = new RpcError(Status.INTERNAL, 'failing');
const LATE = new RpcError(Status.DEADLINE_EXCEEDED, 'late');

/** A time of two phases: calls differ, and none takes nothing. */
const erlang = (mean: number, random: () => number): number =>
  (-Math.log((1 - random()) * (1 - random())) / 2) * mean;
