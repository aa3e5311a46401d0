import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { Answer } from './answer.js';
import type { ConsulClient, ConsulRequest } from './client.js';
import { BadAnswer } from './guard.js';
import type { SendingOptions } from './kv.js';

/** A lease: the keys that it holds are deleted when it is not renewed for twice its TTL. */
export interface Session {
  readonly id: string;
  readonly name: string;
  /** The agent that it was made at. */
  readonly node: string;
}

export type SessionInit = {
  /** For people who look at it. */
  readonly name: string;
  readonly ttlMs: number;
  /** Checks of the agent's node that end the session when they fail; with none the TTL alone decides. */
  readonly nodeChecks: readonly string[];
};

/** The sessions of Consul, which hold keys. */
export function sessionsOf(client: ConsulClient) {
  const ask = <T>(
    method: ConsulRequest<T>['method'],
    verb: string,
    id: string,
    sending: SendingOptions,
    read: (answer: Answer) => T,
  ) =>
    client.send({
      method,
      path: `/session/${verb}/{id}`,
      params: { id },
      what: `${verb} a session`,
      permission: `session_prefix "" { policy = "${method === 'GET' ? 'read' : 'write'}" }`,
      mayBeAbsent: verb === 'renew',
      ...sending,
      read,
    });
  return {
    /** @throws RpcError INVALID_ARGUMENT for a TTL that the agent does not take */
    async create({ name, ttlMs, nodeChecks }: SessionInit, sending: SendingOptions = {}): Promise<string> {
      const body = JSON.stringify({
        Name: name,
        TTL: `${ttlMs}ms`,
        Behavior: 'delete',
        // The default of 15 s would keep a server that comes back from its own key; a number would be dropped.
        LockDelay: '0s',
        NodeChecks: nodeChecks,
      });
      try {
        return await client.send({
          method: 'PUT',
          path: '/session/create',
          body,
          what: 'create a session',
          permission: 'session_prefix "" { policy = "write" }',
          ...sending,
          read: (answer) => idOf(answer.json()),
        });
      } catch (error) {
        throw error instanceof RpcError ? explained(error, ttlMs) : error;
      }
    },

    /** False when the agent says that there is no such session. */
    renew: (id: string, sending: SendingOptions = {}): Promise<boolean> =>
      ask('PUT', 'renew', id, sending, ({ status }) => status !== 404),

    /** Deletes the keys that it holds. One that is not there is no error. */
    async destroy(id: string, sending: SendingOptions = {}): Promise<void> {
      await ask('PUT', 'destroy', id, sending, ({ text }) => {
        if (text.trim() !== 'true') throw new BadAnswer('the agent did not confirm that it has destroyed');
      });
    },

    /** Undefined when there is no such session. */
    info: (id: string, sending: SendingOptions = {}): Promise<Session | undefined> =>
      ask('GET', 'info', id, sending, (answer) => {
        const list = answer.json() ?? [];
        if (!Array.isArray(list)) throw new BadAnswer('not a list of sessions');
        const found = list.map(sessionIn).find((session) => session.id === id);
        if (!found && answer.isFiltered) throw sessionIsHidden(client.agent);
        return found;
      }),
  };
}

export type Sessions = ReturnType<typeof sessionsOf>;

/** What the token may not read is not gone. */
const sessionIsHidden = (agent: string) =>
  new RpcError(
    Status.PERMISSION_DENIED,
    `consul at ${agent}: may not read a session: the answer hides it from the token given; it needs session_prefix "" { policy = "read" }`,
    { maybeExecuted: false },
  );

const idOf = (answer: unknown): string => {
  const { ID: id } = (answer ?? {}) as Record<string, unknown>;
  if (typeof id !== 'string' || id === '') throw new BadAnswer('a session without an ID');
  return id;
};

const sessionIn = (item: unknown): Session => {
  const { Name: name, Node: node } = (item ?? {}) as Record<string, unknown>;
  return { id: idOf(item), name: String(name ?? ''), node: String(node ?? '') };
};

/** Consul answers 500 to what is the caller's mistake; trying that again would not help. */
function explained(error: RpcError, ttlMs: number): RpcError {
  const refused = (text: string) =>
    new RpcError(Status.INVALID_ARGUMENT, `${text}; ${error.details}`, {
      cause: error,
      maybeExecuted: false,
    });
  if (/invalid session ttl/i.test(error.details))
    return refused(`ttlMs: the agent does not take ${ttlMs} (its session_ttl_min is 10 s unless configured)`);
  if (/missing check/i.test(error.details)) return refused("nodeChecks: the agent's node has no such check");
  if (/missing node registration/i.test(error.details)) {
    const text = `${error.details}; a session needs the agent's node: in another datacenter only ttlMs 0 registers`;
    return new RpcError(Status.UNAVAILABLE, text, { cause: error, maybeExecuted: false });
  }
  return error;
}
