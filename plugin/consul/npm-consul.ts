import { EventEmitter } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import * as packages from '#packages';
import type { AgentAddress } from './agent-address.js';
import type { Response } from './answer.js';
import { guardedRequest } from './guard.js';
import type { Lane } from './lane.js';
import type { ConsulTls } from './tls.js';

/** npm `consul` for one agent, with the guard of its answers in place. */
export function createNpmConsul(address: AgentAddress, tls: ConsulTls | undefined): NpmConsul {
  const { secure, host, port } = address;
  const Agent = (secure ? https : http).Agent;
  const Consul = packages.consul();
  const consul = new Consul({
    host: host.includes(':') ? `[${host}]` : host,
    port,
    secure,
    agent: new Agent({ keepAlive: true }),
  }) as unknown as Papi;
  const request = guardedRequest(address, tls);
  consul._ext('onRequest', (sent, next) => {
    sent.transport = { request: (options) => request(options, sent.opts.keptOnly) };
    next();
  });
  return {
    // Pools of their own: a write must not wait behind queries that are held for a minute, nor a renewal behind writes.
    lanes: {
      requests: new Agent({ keepAlive: true, maxSockets: 8, maxFreeSockets: 1 }),
      // All of them are free at once when many watches are answered together, and each is to be used again.
      watches: new Agent({ keepAlive: true, maxFreeSockets: 256 }),
      renewals: new Agent({ keepAlive: true, maxSockets: 2, maxFreeSockets: 1 }),
    },
    send: (options, mayBeAbsent) =>
      // The verbs of npm `consul` are not used: they end the process on a list that holds null, drop options without a
      // word, and take a foreign page for an absent prefix.
      consul._request(options, (answered, next) =>
        mayBeAbsent && answered.err?.isResponse && answered.res?.statusCode === 404
          ? next(false, undefined, answered.res)
          : next(),
      ),
  };
}

/** npm `consul` knows no AbortSignal, only an emitter with `cancel`. */
export function cancelledBy(signal: AbortSignal | undefined): { context: Context; unlink(): void } {
  const context: Context = Object.assign(new EventEmitter(), { canceled: signal?.aborted ?? false });
  const cancel = () => {
    context.canceled = true; // It does not remember a `cancel` from before the request.
    context.emit('cancel');
  };
  signal?.addEventListener('abort', cancel, { once: true });
  return { context, unlink: () => signal?.removeEventListener('abort', cancel) };
}

export type Context = EventEmitter & { canceled: boolean };

export interface NpmConsul {
  readonly lanes: Readonly<Record<Lane, http.Agent>>;
  /** Resolves with status 2xx, and with 404 where that is an answer. */
  send(options: SendOptions, mayBeAbsent: boolean): Promise<Response>;
}

export type SendOptions = {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | readonly string[]>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly ctx: Context;
  readonly timeout: number;
  readonly buffer: true;
  readonly agent: http.Agent;
  /** Sends nothing over a connection that is opened for it, and rejects with `NotKept`. */
  readonly keptOnly: boolean;
};

type Next = (stop?: false, error?: undefined, value?: Response) => void;

/** What we use of npm `consul` 2.0.1: the client that it is made on. */
interface Papi {
  _request(
    options: SendOptions,
    done: (request: { res?: Response; err?: { isResponse?: boolean } }, next: Next) => void,
  ): Promise<Response>;
  _ext(event: 'onRequest', extension: (request: Sent, next: () => void) => void): void;
}

type Sent = {
  readonly opts: SendOptions;
  transport: { request(options: http.RequestOptions): http.ClientRequest };
};
