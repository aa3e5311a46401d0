import { type Address, formatAddress } from '../../../rpc/address.js';
import { RpcError } from '../../../rpc/error.js';
import { Status } from '../../../rpc/status.js';

/** How the agent finds out whether a server is alive. Times in milliseconds. */
export type ServiceCheck =
  /** The server says so itself, three times in `ttlMs`: one that hangs is noticed as well as one that is gone. */
  | { readonly kind: 'ttl' /** @default 10_000 */; readonly ttlMs?: number | undefined }
  /** The agent connects to the server: one that hangs goes on passing. */
  | (Polled & { readonly kind: 'tcp' })
  /** The agent asks an address of the server's own making: 2xx passes, 429 is a warning. */
  | (Polled & {
      readonly kind: 'http';
      readonly url: string;
      /** @default 'GET' */
      readonly method?: string | undefined;
      readonly headers?: Readonly<Record<string, string>> | undefined;
      /** Takes any certificate. @default false */
      readonly tlsSkipVerify?: boolean | undefined;
    })
  /** The agent asks the server's health service (`grpc.health.v1`) for each of its services. */
  | (Polled & {
      readonly kind: 'grpc';
      /** Whether the server speaks TLS. @default false */
      readonly tls?: boolean | undefined;
      /** Takes any certificate. @default false */
      readonly tlsSkipVerify?: boolean | undefined;
    });

type Polled = {
  /** From one check to the next. @default 5_000 */
  readonly intervalMs?: number | undefined;
  /** For one answer of the server. @default the interval, 5_000 at most */
  readonly timeoutMs?: number | undefined;
};

export const DEFAULT_TTL_MS = 10_000;
const DEFAULT_INTERVAL_MS = 5_000;
const MAX_MS = 86_400_000;
const FIELDS: Readonly<Record<ServiceCheck['kind'], readonly string[]>> = {
  ttl: ['ttlMs'],
  tcp: ['intervalMs', 'timeoutMs'],
  http: ['intervalMs', 'timeoutMs', 'url', 'method', 'headers', 'tlsSkipVerify'],
  grpc: ['intervalMs', 'timeoutMs', 'tls', 'tlsSkipVerify'],
};

/** @throws RpcError INVALID_ARGUMENT that says which field is wrong, and what it was */
export function checkServiceCheck(check: ServiceCheck): ServiceCheck {
  if (typeof check !== 'object' || check === null) throw bad('check', 'an object with a kind', check);
  const fields: readonly string[] | undefined = Object.hasOwn(FIELDS, check.kind)
    ? FIELDS[check.kind]
    : undefined;
  if (!fields) throw bad('check.kind', Object.keys(FIELDS).join(', '), check.kind);
  for (const [name, value] of Object.entries(check)) {
    if (name === 'kind' || value === undefined) continue;
    if (!fields.includes(name)) throw bad(`check of kind "${check.kind}"`, `only ${fields.join(', ')}`, name);
    if (name.endsWith('Ms')) checkMs(`check.${name}`, value, name === 'timeoutMs' ? 1 : 1_000);
  }
  if (check.kind === 'http') checkHttp(check);
  return check;
}

/** @throws RpcError INVALID_ARGUMENT */
export function checkMs(name: string, value: unknown, least: number): void {
  if (typeof value !== 'number' || !(value >= least && value <= MAX_MS) || !Number.isInteger(value))
    throw bad(name, `whole milliseconds from ${least} to ${MAX_MS}`, value);
}

/** The check in the words of Consul's API. It passes until it has been made for the first time. */
export function checkBody(
  check: ServiceCheck,
  address: Address & { kind: 'tcp' },
  service: string,
): Record<string, string | boolean | Record<string, string[]>> {
  if (check.kind === 'ttl') return { Status: 'passing', TTL: `${check.ttlMs ?? DEFAULT_TTL_MS}ms` };
  const { intervalMs = DEFAULT_INTERVAL_MS } = check;
  const { timeoutMs = Math.min(intervalMs, 5_000) } = check;
  const body = { Status: 'passing', Interval: `${intervalMs}ms`, Timeout: `${timeoutMs}ms` };
  const target = formatAddress(address);
  switch (check.kind) {
    case 'tcp':
      return { ...body, TCP: target };
    case 'http': {
      const headers = Object.entries(check.headers ?? {}).map(([name, value]) => [name, [value]]);
      return {
        ...body,
        HTTP: check.url,
        Method: check.method ?? 'GET',
        Header: Object.fromEntries(headers),
        TLSSkipVerify: check.tlsSkipVerify ?? false,
      };
    }
    case 'grpc':
      return {
        ...body,
        GRPC: `${target}/${service}`,
        GRPCUseTLS: check.tls ?? false,
        TLSSkipVerify: check.tlsSkipVerify ?? false,
      };
  }
}

function checkHttp({ url, method, headers }: ServiceCheck & { kind: 'http' }): void {
  if (typeof url !== 'string' || !/^https?:\/\/[^\s]+$/i.test(url) || !URL.canParse(url))
    throw bad('check.url', 'http://... or https://...', url);
  if (method !== undefined && !/^[A-Z]{1,16}$/.test(method))
    throw bad('check.method', 'a method such as GET', method);
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (!/^[\w-]{1,128}$/.test(name) || typeof value !== 'string' || /[^\t\x20-\x7e]/.test(value))
      throw bad('check.headers', 'names and printable texts', name);
  }
}

export const bad = (name: string, wanted: string, received: unknown) =>
  new RpcError(
    Status.INVALID_ARGUMENT,
    `${name}: ${wanted}, got ${typeof received === 'number' ? received : (JSON.stringify(received)?.slice(0, 128) ?? String(received))}`,
    { maybeExecuted: false },
  );
