import { readFileSync } from 'node:fs';
import { RpcError, textOf } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { parseAgentAddress } from './agent-address.js';
import { type ConsulClient, createConsulClient } from './client.js';
import type { ConsulTls } from './tls.js';
import { fixedToken, tokenFile } from './token.js';

/** How to reach Consul. What is left out comes from the variables that Consul's own programs read. */
export type ConsulConnection = {
  /**
   * The agent: `host:port`, `http://host:port`, `https://host:port` or `unix:///path`; several are tried in turn.
   * @default CONSUL_HTTP_ADDR (several with commas), with CONSUL_HTTP_SSL for https, else '127.0.0.1:8500'
   */
  address?: string | readonly string[] | undefined;
  /** ACL token; sent as a header only, and never shown. @default CONSUL_HTTP_TOKEN */
  token?: string | undefined;
  /** A file that holds it, read again when it changes. @default CONSUL_HTTP_TOKEN_FILE */
  tokenFile?: string | undefined;
  /** @default the agent's own */
  datacenter?: string | undefined;
  /** @default the files of CONSUL_CACERT, CONSUL_CLIENT_CERT, CONSUL_CLIENT_KEY, and CONSUL_TLS_SERVER_NAME */
  tls?: ConsulTls | undefined;
  /** For one answer of the agent, in milliseconds. A server without a leader takes 7 s to say so. @default 10_000 */
  timeoutMs?: number | undefined;
};

/**
 * Reads files of certificates, but does no other I/O before the first request.
 * @throws RpcError INVALID_ARGUMENT for a bad address, token or file; RangeError for a bad time-out
 */
export function connectConsul(options: ConsulConnection): ConsulClient {
  const { env } = process;
  const { timeoutMs = 10_000 } = options;
  if (!(timeoutMs > 0 && timeoutMs <= 2 ** 31 - 1))
    throw new RangeError(`timeoutMs: milliseconds above 0, got ${timeoutMs}`);
  const secure = isTrue(env.CONSUL_HTTP_SSL, 'CONSUL_HTTP_SSL');
  const addresses = options.address ?? env.CONSUL_HTTP_ADDR?.split(',').filter(Boolean) ?? [];
  const given = typeof addresses === 'string' ? [addresses] : addresses;
  return createConsulClient({
    agents: (given.length > 0 ? given : ['127.0.0.1:8500']).map((address) =>
      parseAgentAddress(address.trim(), secure),
    ),
    token: tokenOf(options),
    datacenter: options.datacenter,
    tls: options.tls ?? tlsOfEnvironment(),
    timeoutMs,
  });
}

function tokenOf({ token, tokenFile: file }: ConsulConnection) {
  if (token !== undefined) return fixedToken(token);
  if (file !== undefined) return tokenFile(file);
  const { CONSUL_HTTP_TOKEN: fromEnvironment, CONSUL_HTTP_TOKEN_FILE: fileOfEnvironment } = process.env;
  // The file first, as in Consul's own programs.
  if (fileOfEnvironment) return tokenFile(fileOfEnvironment);
  return fixedToken(fromEnvironment || undefined);
}

function tlsOfEnvironment(): ConsulTls | undefined {
  const { CONSUL_CACERT, CONSUL_CLIENT_CERT, CONSUL_CLIENT_KEY, CONSUL_TLS_SERVER_NAME } = process.env;
  if (!CONSUL_CACERT && !CONSUL_CLIENT_CERT && !CONSUL_CLIENT_KEY && !CONSUL_TLS_SERVER_NAME)
    return undefined;
  return {
    ca: fileOf('CONSUL_CACERT', CONSUL_CACERT),
    cert: fileOf('CONSUL_CLIENT_CERT', CONSUL_CLIENT_CERT),
    key: fileOf('CONSUL_CLIENT_KEY', CONSUL_CLIENT_KEY),
    serverName: CONSUL_TLS_SERVER_NAME || undefined,
  };
}

function fileOf(variable: string, path: string | undefined): Buffer | undefined {
  if (!path) return undefined;
  try {
    return readFileSync(path);
  } catch (reason) {
    throw refused(`${variable}: ${textOf(reason)}`);
  }
}

function isTrue(text: string | undefined, variable: string): boolean {
  if (!text) return false;
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw refused(`${variable}: true or false is wanted, got ${JSON.stringify(text.slice(0, 64))}`);
}

const refused = (text: string) => new RpcError(Status.INVALID_ARGUMENT, text, { maybeExecuted: false });
