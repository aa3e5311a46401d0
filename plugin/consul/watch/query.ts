import type { Answer } from '../answer.js';
import { systemClock } from '../changes.js';
import type { ConsulClient, ConsulRequest } from '../client.js';
import { BadAnswer } from '../guard.js';
import { parseJson } from './json.js';
import { checkKey, type ParamReader, refused, show } from './params.js';
import {
  agentService,
  catalogNode,
  healthCheck,
  kvPair,
  serviceEntry,
  serviceTags,
  userEvent,
  type WatchResults,
  type WatchType,
} from './result.js';
import { list, type Shape } from './shape.js';

/** Where a blocking query goes on: an index, or the hash of an agent's own data. */
export type Position = bigint | string;

/** One read, held until the source has moved past `since`. Without a position the answer is of no use for waiting. */
export type Ask<R> = (
  client: ConsulClient,
  since: Position | undefined,
  signal: AbortSignal,
) => Promise<{ readonly position: Position | undefined; readonly result: R }>;

/** A plan's question, of one type. */
export interface Query<R> {
  /** Tells questions apart, to share the watch of those who ask the same. */
  readonly key: string;
  /** Whether positions grow, so that a lower one means lost data. */
  readonly isOrdered: boolean;
  readonly ask: Ask<R>;
}

/** The question in the parameters, which are taken off the reader. @throws RpcError INVALID_ARGUMENT */
export const queries: { readonly [T in WatchType]: (params: ParamReader) => Query<WatchResults[T]> } = {
  key(params) {
    const stale = params.flag('stale');
    const key = checkKey('key', params.required('key'));
    return query({
      path: '/kv/{key}',
      params: { key },
      what: `read ${show(key)}`,
      permission: `key ${show(key)} { policy = "read" }`,
      stale,
      mayBeAbsent: true,
      result: (found) => listed(kvPair, found)[0] ?? null,
    });
  },

  keyprefix(params) {
    const stale = params.flag('stale');
    const prefix = checkKey('prefix', params.required('prefix'));
    return query({
      path: '/kv/{prefix}',
      params: { prefix },
      query: { recurse: 'true' },
      what: `list the keys under ${show(prefix)}`,
      permission: `key_prefix ${show(prefix)} { policy = "read" }`,
      stale,
      mayBeAbsent: true,
      result: (found) => listed(kvPair, found),
    });
  },

  services: (params) =>
    query({
      path: '/catalog/services',
      what: 'list the services',
      permission: 'service_prefix "" { policy = "read" }',
      stale: params.flag('stale'),
      result: (found) => serviceTags.read(found) ?? {},
    }),

  nodes: (params) =>
    query({
      path: '/catalog/nodes',
      query: filterOf(params),
      what: 'list the nodes',
      permission: 'node_prefix "" { policy = "read" }',
      stale: params.flag('stale'),
      result: (found) => listed(catalogNode, found),
    }),

  service(params) {
    const service = params.required('service');
    const tag = params.texts('tag');
    return query({
      path: '/health/service/{service}',
      params: { service },
      query: {
        ...(tag.length > 0 ? { tag } : {}),
        ...(params.flag('passingonly') ? { passing: '1' } : {}),
        ...filterOf(params),
      },
      what: `list the nodes of service ${show(service)}`,
      permission: readService(service),
      stale: params.flag('stale'),
      result: (found) => listed(serviceEntry, found),
    });
  },

  checks(params) {
    const service = params.text('service');
    const state = params.text('state');
    if (service !== undefined && state !== undefined)
      throw refused('parameters "service" and "state" cannot be given together');
    if (state !== undefined && !STATES.includes(state))
      throw refused(`parameter "state": one of ${STATES.join(', ')} is wanted, got ${show(state)}`);
    return query({
      ...(service === undefined
        ? { path: '/health/state/{state}', params: { state: state ?? 'any' } }
        : { path: '/health/checks/{service}', params: { service } }),
      query: filterOf(params),
      what: service === undefined ? 'list the checks' : `list the checks of service ${show(service)}`,
      permission:
        service === undefined
          ? 'node_prefix "" { policy = "read" } and service_prefix "" { policy = "read" }'
          : readService(service),
      stale: params.flag('stale'),
      result: (found) => listed(healthCheck, found),
    });
  },

  event(params) {
    const name = params.text('name');
    return query({
      path: '/event/list',
      query: name === undefined ? {} : { name },
      what: name === undefined ? 'list the events' : `list the events ${show(name)}`,
      permission: `event_prefix ${show(name ?? '')} { policy = "read" }`,
      // Made of the last event's random ID.
      isOrdered: false,
      result: (found) => listed(userEvent, found),
    });
  },

  agent_service(params) {
    const id = params.required('service_id');
    const asked = query({
      path: '/agent/service/{id}',
      params: { id },
      what: `read service ${show(id)} of the agent`,
      permission: 'service_prefix "" { policy = "read" }',
      isOrdered: false,
      mayBeAbsent: true,
      positionOf: ({ status, hash, text }) => {
        if (status !== 404) return hash;
        if (!/unknown service/i.test(text)) throw new BadAnswer('a 404 that is not about a service');
        return ABSENT;
      },
      result: (found) => (found === undefined ? null : agentService.read(found)),
    });
    return {
      ...asked,
      async ask(client, since, signal) {
        if (since !== ABSENT) return asked.ask(client, since, signal);
        // An agent does not hold the question for a service that it does not have.
        await systemClock.sleep(ABSENT_INTERVAL_MS, signal);
        return asked.ask(client, undefined, signal);
      },
    };
  },
};

const STATES = ['any', 'passing', 'warning', 'critical'];
const ABSENT = '';
const ABSENT_INTERVAL_MS = 1_000;

type Question<R> = Pick<
  ConsulRequest<R>,
  'path' | 'params' | 'query' | 'what' | 'permission' | 'stale' | 'mayBeAbsent'
> & {
  readonly isOrdered?: boolean;
  readonly positionOf?: (answer: Answer) => Position | undefined;
  /** @param found the answer's JSON; undefined when it is 404 */
  readonly result: (found: unknown) => R;
};

function query<R>({
  isOrdered = true,
  positionOf = ({ index }) => index,
  result,
  ...request
}: Question<R>): Query<R> {
  return {
    key: JSON.stringify([request.path, request.params, request.query, request.stale]),
    isOrdered,
    ask: (client, since, signal) =>
      client.send({
        method: 'GET',
        ...request,
        since: typeof since === 'string' ? { hash: since } : since,
        signal,
        read(answer) {
          const position = positionOf(answer);
          // A proxy says 404 too, but it does not send an index.
          if (answer.status === 404 && position === undefined)
            throw new BadAnswer('a 404 without X-Consul-Index; is this a Consul agent?');
          const found = answer.status === 404 ? undefined : jsonOf(answer);
          // A server that has just started knows nothing until there is a leader.
          if (!answer.knownLeader && isNothing(found))
            throw new BadAnswer('there is no cluster leader, so that nothing is found is not believed');
          return { position, result: result(found) };
        },
      }),
  };
}

function jsonOf(answer: Answer): unknown {
  try {
    return parseJson(answer.text);
  } catch {
    return answer.json(); // Throws too, and says what came instead.
  }
}

const isNothing = (found: unknown) =>
  found === undefined || found === null || (typeof found === 'object' && Object.keys(found).length === 0);

const listed = <T>(item: Shape<T>, found: unknown): readonly T[] => list(item).read(found) ?? [];

function filterOf(params: ParamReader): Record<string, string> {
  const filter = params.text('filter');
  return filter === undefined ? {} : { filter };
}

const readService = (service: string) =>
  `service ${show(service)} { policy = "read" } and node_prefix "" { policy = "read" }`;
