import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ConsulVersion, suiteVersion, traits } from './versions.js';

/** What the fake was asked, and the means to answer, rightly or wrongly. */
export interface FakeExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Of the address: `index`, `wait`, `stale`, `flags`. */
  readonly query: URLSearchParams;
  readonly method: string;
  /** `/v1/kv/...`, still encoded. */
  readonly path: string;
  /** A listing as Consul gives it; `index` goes into X-Consul-Index as it is, undefined leaves the header out. */
  list(entries: Readonly<Record<string, string>>, index?: string, headers?: Record<string, string>): void;
  send(status: number, body: string, headers?: Record<string, string>): void;
  /** The header of an answer that leaves out what the token may not read, where the version has one. */
  readonly filtered: Readonly<Record<string, string>>;
  /** Refuses for the load. A proxy before Consul may say when to come again, in seconds. */
  limit(retryAfter?: string): void;
  /** Answers what is asked about sessions as Consul does when all is well; false for anything else. */
  session(): boolean;
}

/** The ID of the one session that `session()` knows. */
export const FAKE_SESSION = '11111111-2222-3333-4444-555555555555';

export interface FakeConsul extends AsyncDisposable {
  readonly address: string;
  /** In the order they came. */
  readonly exchanges: readonly FakeExchange[];
}

/**
 * A server that answers as its script says, for what a real Consul cannot be made to do. Headers are those of the
 * version, where the script gives no others, and keys that it does not take never come to the script.
 */
export async function startFakeConsul(
  script: (exchange: FakeExchange, count: number) => void,
  version: ConsulVersion = suiteVersion,
): Promise<FakeConsul> {
  const { saysFiltered, answersLimits, refusalOf } = traits[version];
  const exchanges: FakeExchange[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://fake');
    const send: FakeExchange['send'] = (status, body, headers = {}) => {
      const all = { 'content-type': 'application/json', ...metaOf(version, url), ...headers };
      // What it says of the leader is no matter of the script.
      const streamed = isStreamed(version, url) ? { 'x-consul-knownleader': 'false' } : {};
      response.writeHead(status, { ...all, ...streamed }).end(body);
    };
    const exchange: FakeExchange = {
      request,
      response,
      query: url.searchParams,
      method: request.method!,
      path: url.pathname,
      send,
      filtered:
        saysFiltered && !isStreamed(version, url) ? { 'x-consul-results-filtered-by-acls': 'true' } : {},
      limit: (retryAfter) => {
        if (!answersLimits) request.socket.destroy();
        else send(429, 'rate limit exceeded', retryAfter === undefined ? {} : { 'retry-after': retryAfter });
      },
      session: () => {
        const verb = /^\/v1\/session\/(create|renew|info|destroy)/.exec(url.pathname)?.[1];
        if (verb === undefined) return false;
        const session = { ID: FAKE_SESSION, Name: 'fake', Node: 'fake' };
        send(200, verb === 'destroy' ? 'true' : JSON.stringify(verb === 'create' ? session : [session]));
        return true;
      },
      list: (entries, index, headers = {}) => {
        const items = Object.entries(entries).map(([Key, value]) => ({
          Key,
          Value: Buffer.from(value).toString('base64'),
          Flags: 0,
        }));
        const all = { ...(index === undefined ? {} : { 'x-consul-index': index }), ...headers };
        send(items.length === 0 ? 404 : 200, items.length === 0 ? '' : JSON.stringify(items), all);
      },
    };
    const refusal = refusalOf(keyIn(url));
    if (refusal) return send(refusal.status, refusal.text, { 'content-type': 'text/plain' });
    exchanges.push(exchange);
    script(exchange, exchanges.length);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    exchanges,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Of what is listed by the servers, or by the agent from their stream. */
const isOfServers = ({ pathname }: URL) => /^\/v1\/(kv|health|catalog)\//.test(pathname);

function isStreamed(version: ConsulVersion, { pathname, searchParams: query }: URL): boolean {
  const isHeld = pathname.startsWith('/v1/health/service/') && query.has('index') && !query.has('near');
  return traits[version].streams && isHeld;
}

function metaOf(version: ConsulVersion, url: URL): Record<string, string> {
  if (!isOfServers(url)) return {};
  if (!traits[version].streams) return { 'x-consul-knownleader': 'true', 'x-consul-lastcontact': '0' };
  const backend = isStreamed(version, url) ? 'streaming' : 'blocking-query';
  return {
    'x-consul-knownleader': 'true',
    'x-consul-lastcontact': '0',
    'x-consul-query-backend': backend,
    'x-consul-default-acl-policy': 'allow',
  };
}

const keyIn = ({ pathname }: URL) =>
  pathname.startsWith('/v1/kv/') ? decodeURIComponent(pathname.slice('/v1/kv/'.length)) : '';
