import {
  type IncomingMessage,
  METHODS,
  type RequestOptions,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http';
import { formatJson } from './json.js';
import { refused, show } from './params.js';
import type { WatchHandler } from './plan.js';

/** The `http_handler_config` of Consul's watches, under its names. */
export type HttpHandlerConfig = {
  /** The whole URL. */
  readonly path: string;
  /** @default 'POST' */
  readonly method?: string | undefined;
  readonly header?: Readonly<Record<string, readonly string[]>> | undefined;
  /** In milliseconds, for one request. @default 10_000 */
  readonly timeoutMs?: number | undefined;
  /** Whether any certificate will do. @default false */
  readonly tlsSkipVerify?: boolean | undefined;
};

const MAX_SHOWN = 200;

/**
 * Sends every result as JSON to a URL, its index as X-Consul-Index. It fails for an answer that is not 2xx; redirects
 * are not followed.
 * @throws RpcError INVALID_ARGUMENT, RangeError for a bad time-out
 */
export function httpHandler(config: HttpHandlerConfig): WatchHandler {
  const { path, method = 'POST', header = {}, timeoutMs = 10_000, tlsSkipVerify = false } = config;
  const url = URL.canParse(path) ? new URL(path) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw refused(`"path" of a handler: the URL of an HTTP server is wanted, got ${show(path)}`);
  if (!(timeoutMs > 0 && timeoutMs <= 2 ** 31 - 1))
    throw new RangeError(`timeoutMs: milliseconds above 0, got ${timeoutMs}`);
  checkRequest(method, header);
  return async (index, result, signal) => {
    if (signal.aborted) return;
    const body = `${formatJson(result)}\n`;
    const headers = {
      'content-type': 'application/json',
      'x-consul-index': String(index),
      ...Object.fromEntries(Object.entries(header).map(([name, values]) => [name, [...values]])),
      'content-length': Buffer.byteLength(body),
    };
    try {
      const options = { method, headers, rejectUnauthorized: !tlsSkipVerify };
      const { status, text } = await exchange(url, options, body, timeoutMs, signal);
      if (status < 200 || status > 299) throw new Error(`status ${status}, ${show(text)}`);
    } catch (reason) {
      if (signal.aborted) return;
      throw new Error(`could not ${method} to ${url.origin}${url.pathname}: ${(reason as Error).message}`);
    }
  };
}

/** What can never be sent is refused now, and not at each result. */
function checkRequest(method: string, header: NonNullable<HttpHandlerConfig['header']>): void {
  if (!METHODS.includes(method))
    throw refused(`"method" of a handler: one of HTTP's is wanted, such as POST, got ${show(method)}`);
  for (const [name, values] of Object.entries(header)) {
    try {
      validateHeaderName(name);
      for (const value of values) validateHeaderValue(name, value);
    } catch (error) {
      throw refused(`"header" of a handler: ${(error as Error).message}`);
    }
  }
}

async function exchange(
  url: URL,
  options: RequestOptions & { rejectUnauthorized: boolean },
  body: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<{ status: number; text: string }> {
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  return new Promise((resolve, reject) => {
    const sent = request(url, { ...options, agent: false });
    const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const abort = () => sent.destroy(new Error('stopped'));
    signal.addEventListener('abort', abort);
    sent.on('close', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      reject(new Error('the connection was closed')); // If nothing else has settled it.
    });
    sent.on('error', reject);
    sent.on('response', (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (text.length < MAX_SHOWN) text += chunk.slice(0, MAX_SHOWN);
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: text.slice(0, MAX_SHOWN) }));
    });
    sent.end(body);
  });
}
