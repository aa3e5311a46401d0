import { systemClock } from '../changes.js';
import { BadAnswer } from '../guard.js';
import { hiddenKeys } from '../hidden-keys.js';
import { kvOf } from '../kv.js';
import { checkKey, type ParamReader, refused, show } from './params.js';
import { hiding, type Query, query } from './question.js';
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
      sight: (client) => hiddenKeys(kvOf(client), prefix, stale === true),
      namesOf: (pairs) => pairs.map(({ Key }) => Key),
    });
  },

  services: (params) =>
    query({
      path: '/catalog/services',
      what: 'list the services',
      permission: 'service_prefix "" { policy = "read" }',
      stale: params.flag('stale'),
      result: (found) => serviceTags.read(found) ?? {},
      sight: hiding('list the services', 'service_prefix "" { policy = "read" }', (service) => ({ service })),
      namesOf: Object.keys,
    }),

  nodes: (params) =>
    query({
      path: '/catalog/nodes',
      query: filterOf(params),
      what: 'list the nodes',
      permission: 'node_prefix "" { policy = "read" }',
      stale: params.flag('stale'),
      result: (found) => listed(catalogNode, found),
      sight: hiding('list the nodes', 'node_prefix "" { policy = "read" }', (node) => ({ node })),
      namesOf: (nodes) => nodes.map(({ Node }) => String(Node)),
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
      sight: hiding(`list the nodes of service ${show(service)}`, readService(service), (node) => ({
        service,
        node,
      })),
      namesOf: (entries) => entries.map(({ Node }) => String(Node?.Node)),
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
      sight: hiding(
        'list the checks',
        'node_prefix "" { policy = "read" } and service_prefix "" { policy = "read" }',
        (name) => JSON.parse(name),
      ),
      namesOf: (checks) =>
        checks.map(({ Node, ServiceName }) =>
          JSON.stringify({ node: String(Node), ...(ServiceName ? { service: String(ServiceName) } : {}) }),
        ),
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
      sight: hiding('list the events', `event_prefix ${show(name ?? '')} { policy = "read" }`, () => ({})),
      namesOf: (events) => events.map(({ ID }) => ID),
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

const listed = <T>(item: Shape<T>, found: unknown): readonly T[] => list(item).read(found) ?? [];

function filterOf(params: ParamReader): Record<string, string> {
  const filter = params.text('filter');
  return filter === undefined ? {} : { filter };
}

const readService = (service: string) =>
  `service ${show(service)} { policy = "read" } and node_prefix "" { policy = "read" }`;
