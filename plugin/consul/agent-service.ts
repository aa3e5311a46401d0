import { isRpcError } from '../../rpc/error.js';
import type { ConsulClient } from './client.js';
import { BadAnswer } from './guard.js';
import type { Lane } from './lane.js';

/** A service and its one check, in the words of Consul's API. */
export type ServiceDefinition = {
  readonly ID: string;
  readonly Name: string;
  readonly Address: string;
  readonly Port: number;
  readonly Tags: readonly string[];
  readonly Meta: Readonly<Record<string, string>>;
  readonly Weights: { readonly Passing: number; readonly Warning: number };
  readonly Check: Readonly<Record<string, string | boolean | Readonly<Record<string, readonly string[]>>>>;
};

type Options = { readonly signal?: AbortSignal | undefined; readonly lane?: Lane | undefined };

/** The services of one agent, which checks them and keeps the servers' catalog up to date. */
export function agentServiceOf(client: ConsulClient) {
  const permissionTo = (policy: string, service: string) =>
    `service ${JSON.stringify(service)} { policy = "${policy}" }`;
  const put = (
    path: string,
    params: Record<string, string>,
    query: Record<string, string>,
    what: string,
    service: string,
    options: Options,
  ) =>
    known(
      client.send({
        method: 'PUT',
        path,
        params,
        query,
        what,
        permission: permissionTo('write', service),
        mayBeAbsent: true,
        ...options,
        read: ({ status }) => status !== 404,
      }),
    );
  const update = (state: 'pass' | 'fail', id: string, service: string, note: string, options: Options) =>
    put(
      `/agent/check/${state}/{check}`,
      { check: checkIdOf(id) },
      note === '' ? {} : { note },
      `${state} the check of ${id}`,
      service,
      options,
    );

  return {
    /** Adds the service, or replaces the one of this ID with all its checks. */
    async register(definition: ServiceDefinition, options: Options = {}): Promise<void> {
      await client.send({
        method: 'PUT',
        path: '/agent/service/register',
        query: { 'replace-existing-checks': 'true' },
        body: JSON.stringify(definition),
        what: `register ${definition.ID}`,
        permission: permissionTo('write', definition.Name),
        ...options,
        read: () => {},
      });
    },

    /** A service that the agent does not know is no error. */
    async deregister(id: string, service: string, options: Options = {}): Promise<void> {
      await put('/agent/service/deregister/{id}', { id }, {}, `deregister ${id}`, service, options);
    },

    /** The heartbeat of a TTL check. False when the agent does not know the check, as after a loss of its data. */
    pass: (id: string, service: string, options: Options = {}) => update('pass', id, service, '', options),

    /** False when the agent does not know the check. */
    fail: (id: string, service: string, note: string, options: Options = {}) =>
      update('fail', id, service, note, options),

    /** Takes the service out of discovery, or back in, whatever its check says. False when the agent does not know it. */
    maintenance: (id: string, service: string, enable: boolean, reason: string, options: Options = {}) =>
      put(
        '/agent/service/maintenance/{id}',
        { id },
        { enable: String(enable), reason },
        `change the maintenance of ${id}`,
        service,
        options,
      ),

    /** What the only check of a service says, undefined when the agent does not know it. */
    check: (id: string, service: string, options: Options = {}): Promise<CheckState | undefined> =>
      client.send({
        method: 'GET',
        path: '/agent/checks',
        query: { filter: `CheckID == ${JSON.stringify(checkIdOf(id))}` },
        what: `read the check of ${id}`,
        permission: permissionTo('read', service),
        ...options,
        read: (answer) => checkStateOf(answer.json(), checkIdOf(id)),
      }),

    /** The service as the agent knows it, undefined when it does not; with `hash`, held until it is another. */
    get: (
      id: string,
      { hash, waitMs, ...options }: Options & { hash?: string | undefined; waitMs?: number | undefined } = {},
    ): Promise<{ readonly service: unknown; readonly hash: string | undefined }> =>
      client.send({
        method: 'GET',
        path: '/agent/service/{id}',
        params: { id },
        what: `read the service ${id} of the agent`,
        permission: permissionTo('read', id),
        mayBeAbsent: true,
        since: hash === undefined ? undefined : { hash },
        waitMs,
        ...options,
        read: (answer) => {
          if (answer.status === 404) return { service: undefined, hash: undefined };
          const service = answer.json();
          if (typeof service !== 'object' || service === null) throw new BadAnswer('not a service');
          return { service, hash: answer.hash };
        },
      }),
  };
}

export interface CheckState {
  readonly status: string;
  /** What the check has found, empty when it has not been made yet. */
  readonly output: string;
}

function checkStateOf(checks: unknown, id: string): CheckState | undefined {
  if (typeof checks !== 'object' || checks === null || Array.isArray(checks))
    throw new BadAnswer('not a table of checks');
  if (!Object.hasOwn(checks, id)) return undefined;
  const { Status: status, Output: output } = ((checks as Record<string, unknown>)[id] ?? {}) as RawCheck;
  if (typeof status !== 'string' || typeof output !== 'string') throw new BadAnswer('not a table of checks');
  return { status, output };
}

type RawCheck = Readonly<Record<'Status' | 'Output', unknown>>;

export type AgentService = ReturnType<typeof agentServiceOf>;

/** The ID that Consul gives to the only check of a service. */
export const checkIdOf = (serviceId: string) => `service:${serviceId}`;

/** What Consul has not got it says by 404, or, before 1.11, by a text with 500. */
async function known(answer: Promise<boolean>): Promise<boolean> {
  try {
    return await answer;
  } catch (error) {
    if (
      isRpcError(error) &&
      /status 500, .*(does not have associated TTL|unknown (check|service))/i.test(error.details)
    )
      return false;
    throw error;
  }
}
