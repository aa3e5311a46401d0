import { EventEmitter } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import Consul from 'consul';
import type { AgentAddress } from './agent-address.js';
import { guardedRequest } from './guard.js';

/** npm `consul` for an agent, with the guard of its answers in place. */
export function createNpmConsul({ secure, host, port }: AgentAddress): NpmConsul {
  const consul = new Consul({
    host: host.includes(':') ? `[${host}]` : host,
    port,
    secure,
    agent: new (secure ? https : http).Agent({ keepAlive: true, maxSockets: 8, maxFreeSockets: 1 }),
  }) as unknown as NpmConsul;
  consul._ext('onRequest', (request, next) => {
    request.transport = { request: guardedRequest(secure) };
    next();
  });
  return consul;
}

/** npm `consul` knows no AbortSignal, only an emitter with `cancel`; with `includeResponse` it also gives the response. */
export function cancelledBy(signal: AbortSignal | undefined): { context: Context; unlink(): void } {
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

export type Context = EventEmitter & { readonly includeResponse: true; canceled: boolean };
/** Goes with every request. */
export type Common = { ctx: Context; timeout: number; token?: string; dc?: string };
type Response = IncomingMessage & { body?: Buffer };
type Next = (stop?: false, error?: undefined, value?: Response) => void;

/** What we use of npm `consul` 2.0.1, whose own types refuse most of these options. */
export interface NpmConsul {
  readonly kv: {
    set(
      options: Common & { key: string; value: string; flags?: string },
    ): Promise<[IncomingMessage, unknown]>;
    del(options: Common & { key: string }): Promise<[IncomingMessage, unknown]>;
  };
  _get(
    request: Record<string, unknown>,
    done: (request: { res?: Response; err?: { isResponse?: boolean } }, next: Next) => void,
  ): Promise<Response>;
  _ext(event: 'onRequest', extension: (request: { transport: unknown }, next: () => void) => void): void;
}
