import http from 'node:http';
import https from 'node:https';
import type { AgentAddress } from './agent-address.js';
import { type Doing, failureOf } from './failure.js';
import { BadAnswer, wasLostBeforeSeen } from './guard.js';
import { type Listing, parseListing } from './listing.js';
import { type Common, cancelledBy, createNpmConsul } from './npm-consul.js';

export type ListOptions = {
  /** Holds the answer until the listing has moved past this index, for `waitMs` at most. */
  since?: bigint | undefined;
  /** @default 55_000 */
  waitMs?: number | undefined;
  /** Lets any server answer, with what it knows. @default false */
  stale?: boolean | undefined;
  signal?: AbortSignal | undefined;
};

/** All that we ask of Consul. Every request has a deadline, and every failure is an RpcError without the token. */
export interface ConsulClient {
  readonly agent: string;
  list(prefix: string, options?: ListOptions): Promise<Listing>;
  /** @param flags an unsigned 64-bit number that Consul keeps beside the value */
  put(
    key: string,
    value: string,
    options?: { flags?: bigint; signal?: AbortSignal | undefined },
  ): Promise<void>;
  /** Deletes this one key; a key that is not there is no error. */
  delete(key: string, options?: { signal?: AbortSignal | undefined }): Promise<void>;
}

export type ClientOptions = {
  address: AgentAddress;
  token?: string | undefined;
  datacenter?: string | undefined;
  /** For an answer that Consul does not hold back, in milliseconds. */
  timeoutMs: number;
};

export const WAIT_MS = 55_000;

/** Consul adds up to a sixteenth to `wait`; the rest is for the way. */
const blockingDeadlineMs = (waitMs: number) => Math.ceil((waitMs * 17) / 16) + 2_000;

/** No I/O before the first request. */
export function createConsulClient({ address, token, datacenter, timeoutMs }: ClientOptions): ConsulClient {
  const agent = address.text;
  const consul = createNpmConsul(address);
  // A pool of its own: a write must not wait behind queries that are held for a minute.
  const watching = new (address.secure ? https : http).Agent({ keepAlive: true, maxFreeSockets: 8 });

  async function send<T>(
    doing: Pick<Doing, 'what' | 'permission' | 'deadlineMs'>,
    signal: AbortSignal | undefined,
    request: (common: Common) => Promise<T>,
    retry = true,
  ): Promise<T> {
    const { context, unlink } = cancelledBy(signal);
    const common: Common = { ctx: context, timeout: doing.deadlineMs };
    if (token) common.token = token;
    if (datacenter) common.dc = datacenter;
    try {
      return await request(common).catch((error: unknown) => {
        // All verbs here may be sent twice; this time it gets a new connection.
        if (retry && !signal?.aborted && wasLostBeforeSeen(error)) return request(common);
        throw error;
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw failureOf(error, { ...doing, agent, token });
    } finally {
      unlink();
    }
  }

  return {
    agent,
    async list(prefix, { since, waitMs = WAIT_MS, stale = false, signal } = {}) {
      const blocking = since !== undefined;
      const doing = {
        what: `list the keys under ${JSON.stringify(prefix)}`,
        permission: `key_prefix ${JSON.stringify(prefix)} { policy = "read" }`,
        deadlineMs: blocking ? blockingDeadlineMs(waitMs) : timeoutMs,
      };
      const query: Record<string, string> = { recurse: 'true' };
      if (datacenter) query.dc = datacenter;
      if (stale) query.stale = '1';
      if (blocking) Object.assign(query, { index: String(since), wait: `${waitMs}ms` });
      return send(
        doing,
        signal,
        async ({ ctx, timeout }) => {
          // Not `kv.get`: it ends the process on a list that holds null, and takes a foreign page for an absent prefix.
          const response = await consul._get(
            {
              name: 'kv.get',
              path: '/kv/{key}',
              params: { key: prefix },
              query,
              headers: token ? { 'x-consul-token': token } : {},
              ctx,
              timeout,
              buffer: true,
              agent: watching,
            },
            // An absent prefix is 404, which would be an error otherwise.
            (request, next) =>
              request.err?.isResponse && request.res?.statusCode === 404
                ? next(false, undefined, request.res)
                : next(),
          );
          return parseListing(response);
        },
        // The connection may have been cut because the data is gone: then the index is of no use any more.
        !blocking,
      );
    },
    async put(key, value, { flags, signal } = {}) {
      const name = JSON.stringify(key);
      const doing = {
        what: `write ${name}`,
        permission: `key ${name} { policy = "write" }`,
        deadlineMs: timeoutMs,
      };
      await send(doing, signal, async (common) => {
        const set = await consul.kv.set({
          ...common,
          key,
          value,
          ...(flags === undefined ? {} : { flags: String(flags) }),
        });
        if (set[1] !== true) throw new BadAnswer('the agent did not confirm that it has written');
      });
    },
    async delete(key, { signal } = {}) {
      const name = JSON.stringify(key);
      const doing = {
        what: `delete ${name}`,
        permission: `key ${name} { policy = "write" }`,
        deadlineMs: timeoutMs,
      };
      await send(doing, signal, async (common) => {
        const deleted = await consul.kv.del({ ...common, key });
        if (deleted[1] !== true) throw new BadAnswer('the agent did not confirm that it has deleted');
      });
    },
  };
}
