import { acceptEncoding, type Compression, compressionNamed } from '../../codec/compression.js';
import { MAX_TIMEOUT_MS } from '../../rpc/deadline.js';
import { RpcError } from '../../rpc/error.js';
import { NOT_EXECUTED } from '../../rpc/not-executed.js';
import { Status } from '../../rpc/status.js';
import type { Route, Routes } from '../transport.js';
import type { WireMethod } from '../wire-method.js';
import { type Answer, errorAnswer, streamErrorAnswer } from './answer.js';
import { type Fields, fieldOf } from './metadata.js';

/** A call of a unary method that can go on to its body. */
export type RequestHead = {
  readonly route: Route;
  readonly wire: WireMethod;
  /** `application/json`; the reply's as well. */
  readonly contentType: string;
  /** Of the request; undefined for none. */
  readonly compression: Compression | undefined;
  /** Whether the client takes replies in that compression. */
  accepts(compression: string): boolean;
  readonly timeoutMs: number | undefined;
  readonly fields: Fields;
};

/** Reads what stands before the body (https://connectrpc.com/docs/protocol/#unary-request), or says why not. */
export function requestHead(
  method: string,
  target: string,
  fields: Fields,
  routes: Routes,
): RequestHead | Answer {
  const path = pathOf(target);
  const route = routes.get(path);
  if (!route) {
    const text = `the server does not implement the method ${path.slice(0, 128)}; call POST /package.Service/Method with content-type: application/json`;
    return errorAnswer(unimplemented(text), [`trailer-${NOT_EXECUTED}`, '1'], 404);
  }
  if (method !== 'POST') {
    const text = `${path} is called by POST with content-type: application/json, not by ${method.slice(0, 16)}`;
    return errorAnswer(unimplemented(text), ['allow', 'POST'], 405);
  }
  const given = fieldOf(fields, 'content-type') ?? '';
  const contentType = mediaTypeOf(given);
  if (route.kind !== 'unary') return refuseStream(path, contentType);
  const wire = wireOf(route, contentType);
  if (!wire) return refuseContentType(route, given);
  const version = fieldOf(fields, 'connect-protocol-version') ?? '1';
  if (version !== '1') return invalid(`connect-protocol-version: 1 is wanted, got ${quote(version)}`);
  const timeout = fieldOf(fields, 'connect-timeout-ms');
  if (timeout !== undefined && !/^\d{1,10}$/.test(timeout)) {
    return invalid(`connect-timeout-ms: milliseconds of at most 10 digits are wanted, got ${quote(timeout)}`);
  }
  const encoding = fieldOf(fields, 'content-encoding')?.trim().toLowerCase() ?? 'identity';
  const compression = knownCompression(encoding);
  if (compression instanceof RpcError) return errorAnswer(compression, ['accept-encoding', acceptEncoding]);
  // Without a word on it, what the client sends it also takes.
  const accepted = acceptedEncodings(fieldOf(fields, 'accept-encoding') ?? encoding);
  return {
    route,
    wire,
    contentType,
    compression: encoding === 'identity' ? undefined : compression,
    accepts: (name) => accepted.includes(name),
    timeoutMs: timeout === undefined ? undefined : Math.min(Number(timeout), MAX_TIMEOUT_MS),
    fields,
  };
}

/** Without the query, and without the host that stands in requests for proxies (RFC 9112, 3.2.2). */
const pathOf = (target: string) => target.replace(/^https?:\/\/[^/?#]*/i, '').split(/[?#]/, 1)[0]!;

/** `application/json` of `Application/JSON; charset=utf-8`; empty for what is in another charset. */
function mediaTypeOf(contentType: string): string {
  const [type = '', ...parameters] = contentType.toLowerCase().split(';');
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith('charset='));
  return charset === undefined || /^charset="?utf-?8"?$/.test(charset) ? type.trim() : '';
}

const PREFIX = 'application/';

function wireOf(route: Route, contentType: string): WireMethod | undefined {
  if (!contentType.startsWith(PREFIX) || contentType === PREFIX) return undefined;
  const wire = route.wire(contentType.slice(PREFIX.length));
  return wire instanceof RpcError ? undefined : wire;
}

function refuseStream(path: string, contentType: string): Answer {
  const error = unimplemented(`${path} is a stream, and streams are carried by gRPC over HTTP/2 only`);
  return contentType.startsWith('application/connect+')
    ? streamErrorAnswer(error, contentType)
    : errorAnswer(error, [], 415);
}

function refuseContentType(route: Route, contentType: string): Answer {
  const wanted = ['application/json', 'application/proto'].filter((type) => wireOf(route, type));
  const why = contentType.startsWith('application/grpc') ? '; gRPC itself is spoken over HTTP/2' : '';
  const got = contentType === '' ? 'none' : quote(contentType);
  const error = unimplemented(`content-type: ${wanted.join(' or ')} is wanted, got ${got}${why}`);
  return errorAnswer(error, ['accept-post', wanted.join(', ')], 415);
}

function knownCompression(name: string): Compression | RpcError {
  try {
    return compressionNamed(name);
  } catch (reason) {
    return RpcError.from(reason, Status.UNIMPLEMENTED);
  }
}

/** `gzip, br;q=0.5`: the names, without those of weight 0. */
const acceptedEncodings = (list: string): readonly string[] =>
  list
    .toLowerCase()
    .split(',')
    .map((one) => one.split(';').map((part) => part.trim()))
    .filter(([, weight = '']) => !/^q=0(\.0*)?$/.test(weight))
    .map(([name = '']) => name);

const unimplemented = (text: string) => new RpcError(Status.UNIMPLEMENTED, text, { maybeExecuted: false });
const invalid = (text: string) => errorAnswer(new RpcError(Status.INVALID_ARGUMENT, text));
const quote = (text: string) => JSON.stringify(text.slice(0, 64));
