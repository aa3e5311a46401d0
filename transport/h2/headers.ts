import { formatTimeout } from '../../rpc/deadline.js';
import { Metadata } from '../../rpc/metadata.js';
import { Status, statusFrom } from '../../rpc/status.js';
import type { Fields } from './stream.js';

/** gRPC over HTTP/2: what stands in its headers and trailers. */

export function requestFields(options: {
  path: string;
  scheme: string;
  authority: string;
  contentType: string;
  encoding: string | undefined;
  timeout: string | undefined;
  metadata: Metadata | undefined;
}): string[] {
  const fields = [
    ...[':method', 'POST', ':scheme', options.scheme, ':path', options.path, ':authority', options.authority],
    ...['te', 'trailers', 'content-type', options.contentType, 'user-agent', 'lictor'],
    ...['grpc-accept-encoding', 'identity,gzip'],
  ];
  if (options.encoding) fields.push('grpc-encoding', options.encoding);
  if (options.timeout) fields.push('grpc-timeout', options.timeout);
  if (options.metadata) addMetadata(fields, options.metadata);
  return fields;
}

/** The size of a list of fields, as MAX_HEADER_LIST_SIZE counts it (RFC 9113, 6.5.2). */
export function listBytes(fields: Fields): number {
  let bytes = 0;
  for (let i = 0; i < fields.length; i += 2) bytes += fields[i]!.length + fields[i + 1]!.length + 32;
  return bytes;
}

/** `grpc-timeout` for what is left. Whole milliseconds from ten on, so that calls of one time-out look alike. */
export const timeoutText = (ms: number): string => (ms >= 10 ? `${Math.ceil(ms)}m` : formatTimeout(ms));

export function addMetadata(fields: string[], metadata: Metadata): void {
  for (const [key, value] of metadata) {
    fields.push(
      key,
      typeof value === 'string' ? value : Buffer.from(value).toString('base64').replace(/=+$/, ''),
    );
  }
}

/** The metadata in a list of fields: without what is HTTP/2's and gRPC's own. */
export const metadataOf = (fields: Fields): Metadata =>
  Metadata.received((metadata) => addReceived(metadata, fields));

function addReceived(metadata: Metadata, fields: Fields): void {
  for (let i = 0; i < fields.length; i += 2) {
    const key = fields[i]!;
    const value = fields[i + 1]!;
    if (!key.endsWith('-bin')) metadata.addReceived(key, value);
    // Several values of a binary key may come joined by commas, padded or not.
    else for (const one of value.split(',')) metadata.addReceived(key, Buffer.from(one.trim(), 'base64'));
  }
}

export function fieldOf(fields: Fields, name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
  return undefined;
}

/** What a client has to know of a block of headers or trailers, read once per distinct block. */
export type ResponseHead = {
  readonly httpStatus: number;
  readonly contentType: string | undefined;
  readonly encoding: string | undefined;
  readonly contentLength: string | undefined;
  /** Set in trailers, and in headers that are trailers too. */
  readonly grpcStatus: number | undefined;
  readonly message: string;
};

const heads = new WeakMap<Fields, ResponseHead>();

export function responseHead(fields: Fields): ResponseHead {
  const known = heads.get(fields);
  if (known) return known;
  const status = fieldOf(fields, 'grpc-status');
  const head: ResponseHead = {
    httpStatus: Number(fieldOf(fields, ':status') ?? 0),
    contentType: fieldOf(fields, 'content-type'),
    encoding: fieldOf(fields, 'grpc-encoding'),
    contentLength: fieldOf(fields, 'content-length'),
    grpcStatus: status === undefined ? undefined : statusFrom(/^\d{1,2}$/.test(status) ? Number(status) : -1),
    message: decodeMessage(fieldOf(fields, 'grpc-message') ?? ''),
  };
  heads.set(fields, head);
  return head;
}

/** For answers without `grpc-status`: https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
export function statusOfHttp(status: number): Status {
  switch (status) {
    case 400:
      return Status.INTERNAL;
    case 401:
      return Status.UNAUTHENTICATED;
    case 403:
      return Status.PERMISSION_DENIED;
    case 404:
      return Status.UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return Status.UNAVAILABLE;
    default:
      return Status.UNKNOWN;
  }
}

/** `grpc-message` is percent-encoded UTF-8; what does not decode is shown as it came. */
export function decodeMessage(text: string): string {
  if (!text.includes('%')) return text;
  const bytes = Buffer.from(
    text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
  return bytes.toString('utf8');
}

export const encodeMessage = (text: string): string =>
  /^[\x20-\x24\x26-\x7e]*$/.test(text)
    ? text
    : [...Buffer.from(text, 'utf8')]
        .map((byte) =>
          byte >= 0x20 && byte <= 0x7e && byte !== 0x25
            ? String.fromCharCode(byte)
            : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
        )
        .join('');
