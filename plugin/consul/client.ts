import { EventEmitter } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import Consul from 'consul';
import type { AgentAddress } from './agent-address.js';
import { type Doing, failureOf } from './failure.js';
import { BadAnswer, guardedRequest, wasLostBeforeSeen } from './guard.js';
import { parseListing } from './listing.js';

export interface KeyValue {
  readonly key: string;
  readonly value: Buffer;
}

/** The keys under a prefix at one moment. A prefix without keys is an empty listing, not an error. */
export interface Listing {
  readonly entries: readonly KeyValue[];
  /** What to pass as `since`; undefined when the agent sent none that can be used. */
  readonly index: bigint | undefined;
  /** False while the cluster has no leader, so that a stale answer may be far behind. */
  readonly knownLeader: boolean;
}

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
  const { secure, host, port, text: agent } = address;
  const { Agent } = secure ? https : http;
  // Two pools: a write must not wait behind queries that are held for a minute.
  const watching = new Agent({ keepAlive: true, maxFreeSockets: 2 });
  const consul = new Consul({
    host: host.includes(':') ? `[${host}]` : host,
    port,
    secure,
    agent: new Agent({ keepAlive: true, maxSockets: 8, maxFreeSockets: 1 }),
  }) as unknown as UntypedConsul;
  consul._ext('onRequest', (request, next) => {
    request.transport = { request: guardedRequest(secure) };
    next();
  });

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

/** npm `consul` knows no AbortSignal, only an emitter with `cancel`; with `includeResponse` it also gives the response. */
function cancelledBy(signal: AbortSignal | undefined): { context: Context; unlink(): void } {
  const context: Context = Object.assign(new EventEmitter(), {
    includeResponse: true as const,
    canceled: signal?.aborted ?? false,
  });
  const cancel = () => {
    context.canceled = true; // It does not remember a `cancel` from before the request.
    context.emit('cancel');
  };
  signal?.addEventListener('abort', cancel, { once: true });
  return { context, unlink: () => signal?.removeEventListener('abort', cancel) };
}

type Context = EventEmitter & { readonly includeResponse: true; canceled: boolean };
type Common = { ctx: Context; timeout: number; token?: string; dc?: string };
type Response = http.IncomingMessage & { body?: Buffer };
type Next = (stop?: false, error?: undefined, value?: Response) => void;

/** What we use of npm `consul` 2.0.1, whose own types refuse most of these options. */
interface UntypedConsul {
  readonly kv: {
    set(
      options: Common & { key: string; value: string; flags?: string },
    ): Promise<[http.IncomingMessage, unknown]>;
    del(options: Common & { key: string }): Promise<[http.IncomingMessage, unknown]>;
  };
  _get(
    request: Record<string, unknown>,
    done: (request: { res?: Response; err?: { isResponse?: boolean } }, next: Next) => void,
  ): Promise<Response>;
  _ext(event: 'onRequest', extension: (request: { transport: unknown }, next: () => void) => void): void;
}
