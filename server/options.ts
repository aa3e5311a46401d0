import { compressionNamed } from '../codec/compression.js';
import type { Plugin } from '../plugin/plugin.js';
import { parseAddress } from '../rpc/address.js';
import type { CompressionName } from '../rpc/compression.js';
import { deadlineIn } from '../rpc/deadline.js';
import { type DecodedLimit, defaultDecodedBytes } from '../rpc/decoded-limit.js';
import type { Interceptor } from '../rpc/interceptor.js';
import { checkLimit } from '../rpc/limit.js';
import type { Logger } from '../rpc/log.js';
import type { EngineName } from '../transport/named.js';
import { checkTls, type ServerTls } from '../transport/tls.js';
import type { Engine } from '../transport/transport.js';
import { type OverloadOptions, overloadSettings } from './overload/options.js';
import type { WorkerCount } from './workers/ports.js';

export type ServerOptions = {
  /** Where to listen: `host:port`, `[ipv6]:port` or `unix:/path`; port 0 takes a free one. @default '127.0.0.1:0' */
  address?: string | undefined;
  /** What runs beside the server: a registry to be listed in, a tracer. */
  plugins?: readonly Plugin[] | undefined;
  /**
   * The address that the registry lists, `host:port` or only a host; needed behind NAT, and when listening on all
   * interfaces (0.0.0.0, [::]). @default the address listened on
   */
  advertise?: string | undefined;
  /** What the registry says of this server beside its address. */
  weight?: number | undefined;
  zone?: string | undefined;
  tags?: readonly string[] | undefined;
  meta?: Readonly<Record<string, string>> | undefined;
  /** @default 'h2' */
  transport?: EngineName | Engine | undefined;
  tls?: ServerTls | undefined;
  /** Stand around every handler; the first is the outermost. */
  interceptors?: readonly Interceptor[] | undefined;
  /** Compression of replies to clients that take it; a handler may say otherwise by its context. @default 'identity' */
  compression?: CompressionName | undefined;
  /** The largest message taken or sent. @default 4 MiB */
  maxMessageBytes?: number | undefined;
  /**
   * The most memory that a message may take once it is decoded, as it is estimated before: a message of 4 MiB can hold
   * two million empty objects. A larger one is refused with RESOURCE_EXHAUSTED. @default 16 times maxMessageBytes
   */
  maxDecodedBytes?: number | undefined;
  /** The most metadata that a call may bring, counted as HTTP/2 does. @default 16 KiB */
  maxMetadataBytes?: number | undefined;
  /** Calls in flight in the whole server, and waiting; more are refused with RESOURCE_EXHAUSTED. @default 10,000 */
  maxConcurrentCalls?: number | undefined;
  /**
   * What is done when more comes than the server can do: calls wait for their turn, and those that would wait for too long
   * are refused at once, so that clients send them elsewhere; false lets all run at once.
   */
  overload?: OverloadOptions | false | undefined;
  /** Calls in flight on one connection. @default 1,000 */
  maxStreamsPerConnection?: number | undefined;
  /**
   * Connections from one IP address (transport `h2`); more are closed at once. Raise it for a server whose clients all
   * come through one proxy or NAT. @default 256
   */
  maxConnectionsPerAddress?: number | undefined;
  /** The time of a unary call that came without a deadline; Infinity for no limit. @default 60,000 */
  timeoutMs?: number | undefined;
  /** Between leaving the registry and refusing calls, so that clients have seen it. @default 1,000 when listed, else 0 */
  drainMs?: number | undefined;
  /** How long calls in flight may still take when the server closes. @default 10,000 */
  graceMs?: number | undefined;
  /** Whether SIGTERM and SIGINT close the server and then end the process; a second one ends it at once. @default false */
  handleSignals?: boolean | undefined;
  /** @default one line of JSON per event on stderr */
  logger?: Logger | undefined;
};

export type ServeOptions = {
  /**
   * How many processes of this program serve, `'cores'` for one per core. Each has a port of its own, the first the one
   * of `address`, and is started again when it dies; this process serves nothing itself. @default none but this process
   */
  workers?: WorkerCount | undefined;
};

/** Where the server is to listen. */
export const wantedAddress = ({ address = '127.0.0.1:0' }: ServerOptions): string => address;

const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const MAX_METADATA_BYTES = 16 * 1024;

/** What the gate lets in. @throws RangeError or TypeError that names a setting of `overload` */
export const gateOptions = ({ overload, ...options }: ServerOptions) => ({
  maxConcurrentCalls: options.maxConcurrentCalls ?? 10_000,
  maxMetadataBytes: options.maxMetadataBytes ?? MAX_METADATA_BYTES,
  timeoutMs: options.timeoutMs ?? 60_000,
  overload: overload === false ? undefined : overloadSettings(overload ?? {}),
});

/** What a request may take once decoded. */
export const requestLimit = ({
  maxMessageBytes = MAX_MESSAGE_BYTES,
  maxDecodedBytes,
}: ServerOptions): DecodedLimit => ({
  bytes: maxDecodedBytes ?? defaultDecodedBytes(maxMessageBytes),
  side: 'server',
});

/** Where the transport listens, and the limits of messages and connections. */
export const listenOptions = (options: ServerOptions) => ({
  address: wantedAddress(options),
  maxMessageBytes: options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
  maxMetadataBytes: options.maxMetadataBytes ?? MAX_METADATA_BYTES,
  maxStreamsPerConnection: options.maxStreamsPerConnection ?? 1_000,
  maxConnectionsPerAddress: options.maxConnectionsPerAddress ?? 256,
  compression: options.compression ?? 'identity',
});

/**
 * Checks what needs nothing else to be checked.
 * @throws RangeError, TypeError or RpcError that names the option
 */
export function checkOptions(options: ServerOptions): void {
  parseAddress(wantedAddress(options));
  compressionNamed(options.compression ?? 'identity');
  checkTls(options.tls, 'server');
  checkListing(options);
  deadlineIn(options.timeoutMs ?? 0);
  for (const name of ['drainMs', 'graceMs'] as const) checkLimit(name, options[name], 0);
  for (const name of [
    'maxMessageBytes',
    'maxDecodedBytes',
    'maxMetadataBytes',
    'maxConcurrentCalls',
    'maxStreamsPerConnection',
    'maxConnectionsPerAddress',
  ] as const) {
    checkLimit(name, options[name], 1);
  }
}

const KINDS = new Set(['resolver', 'tracing']);

/** What a registry is told of this server, and by whom: a mistake here would show only in what clients do not find. */
function checkListing({ plugins, advertise, weight, zone, tags, meta }: ServerOptions): void {
  for (const plugin of plugins ?? []) {
    if (!KINDS.has(plugin?.kind))
      throw new TypeError('plugins: a plugin is wanted, such as consul(...) or opentracing(...)');
  }
  if (weight !== undefined && !(weight >= 0 && weight <= 1_000)) {
    throw new RangeError(`weight: a number from 0 to 1,000, got ${weight}`);
  }
  for (const [name, value] of Object.entries({ advertise, zone })) {
    if (value !== undefined && typeof value !== 'string')
      throw new TypeError(`${name}: text is wanted, got ${typeof value}`);
  }
  if (tags !== undefined && !(Array.isArray(tags) && tags.every((tag) => typeof tag === 'string'))) {
    throw new TypeError(`tags: a list of texts is wanted, got ${JSON.stringify(tags)}`);
  }
  if (meta !== undefined && !Object.values(meta).every((value) => typeof value === 'string')) {
    throw new TypeError(`meta: texts are wanted, got ${JSON.stringify(meta)}`);
  }
}
