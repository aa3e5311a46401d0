import { parseTimeout } from '../../rpc/deadline.js';
import { mayEndBeforeReset } from '../end-before-reset.js';
import { subtypeOf } from '../wire-method.js';
import { parseContentLength } from './content-length.js';
import type { Fields } from './stream.js';

/** What a server has to know of a request's header, read once per distinct block. */
export type RequestHead = {
  readonly fields: Fields;
  readonly path: string;
  /** What follows `application/grpc+`; undefined when it is not gRPC. */
  readonly subtype: string | undefined;
  readonly encoding: string | undefined;
  readonly accepts: string;
  readonly timeoutMs: number | undefined;
  readonly contentLength: number | undefined;
  /** Its client may end a stream that it is about to reset. */
  readonly mayEndBeforeReset: boolean;
  /** Set when the request breaks HTTP/2 (8.3.1) or gRPC. */
  readonly malformed: string | undefined;
  /** What HTTP/2 counts for the fields that are the user's own. */
  readonly metadataBytes: number;
};

const heads = new WeakMap<Fields, RequestHead>();
/** 8.2.1: no upper case, no control characters, no spaces, nothing beyond ASCII, no colon. */
const NAME = /^[!-9;-@[-~]+$/;
const FORBIDDEN_IN_VALUE = /[\0\n\r]/;
const PSEUDO = new Set([':method', ':scheme', ':path', ':authority']);
/** 8.2.2: these belong to HTTP/1.1's connections. */
const FORBIDDEN = new Set(['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade']);

export function requestHead(fields: Fields): RequestHead {
  let head = heads.get(fields);
  if (!head) {
    head = read(fields);
    heads.set(fields, head);
  }
  return head;
}

function read(fields: Fields): RequestHead {
  const values = new Map<string, string>();
  let malformed: string | undefined;
  let metadataBytes = 0;
  let regular = false;
  for (let i = 0; i < fields.length; i += 2) {
    const [name, value] = [fields[i]!, fields[i + 1]!];
    if (name.startsWith(':')) {
      if (regular) malformed ??= `${name} after a regular field`;
      if (!PSEUDO.has(name)) malformed ??= `unknown pseudo-header ${name.slice(0, 32)}`;
      if (values.has(name)) malformed ??= `two of ${name}`;
    } else {
      regular = true;
      if (!NAME.test(name)) malformed ??= 'a field name that is not lower-case'; // 8.2.1
      if (FORBIDDEN_IN_VALUE.test(value)) malformed ??= `a line break or NUL in ${name.slice(0, 32)}`;
      if (FORBIDDEN.has(name)) malformed ??= `the field ${name}`;
      if (name === 'content-length' && (values.get(name) ?? value) !== value)
        malformed ??= 'two lengths of content';
      if (name === 'te' && value !== 'trailers') malformed ??= 'te is not trailers';
      if (!OWN.has(name)) metadataBytes += name.length + value.length + 32;
    }
    if (!values.has(name)) values.set(name, value);
  }
  for (const name of [':method', ':scheme', ':path']) if (!values.get(name)) malformed ??= `no ${name}`;
  const timeout = values.get('grpc-timeout');
  const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout);
  if (timeout !== undefined && timeoutMs === undefined)
    malformed ??= `grpc-timeout ${JSON.stringify(timeout.slice(0, 32))}`;
  const length = values.get('content-length');
  const contentLength = length === undefined ? undefined : parseContentLength(length);
  if (length !== undefined && contentLength === undefined)
    malformed ??= `content-length ${JSON.stringify(length.slice(0, 32))}`;
  const encoding = values.get('grpc-encoding');
  return {
    fields,
    path: values.get(':path') ?? '',
    subtype: values.get(':method') === 'POST' ? subtypeOf(values.get('content-type') ?? '') : undefined,
    encoding: encoding === 'identity' ? undefined : encoding,
    accepts: values.get('grpc-accept-encoding') ?? '',
    timeoutMs,
    contentLength,
    mayEndBeforeReset: mayEndBeforeReset(values.get('user-agent')),
    malformed,
    metadataBytes,
  };
}

/** Fields of the protocol, which are not the user's. */
const OWN = new Set([
  'te',
  'content-type',
  'user-agent',
  'grpc-accept-encoding',
  'grpc-encoding',
  'grpc-timeout',
]);
