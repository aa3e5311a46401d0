import { currentContext } from './async-context.js';
import type { CompressionName } from './compression.js';
import type { Deadline } from './deadline.js';
import type { RpcError } from './error.js';
import type { Metadata, MetadataInit } from './metadata.js';
import type { NodeFilter } from './node-filter.js';
import type { Method } from './service.js';
import { Watched } from './watched.js';

/** What one call may ask for; everything is optional. */
export type CallOptions = {
  /** How long the call may take, in milliseconds; Infinity for no limit. @default the client's `timeoutMs` for unary calls, none for streams */
  timeoutMs?: number | undefined;
  /** Cancels the call when it aborts. */
  signal?: AbortSignal | undefined;
  /** Sent with the request. */
  metadata?: MetadataInit | undefined;
  /** Calls with the same key go to the same node under a balancer that hashes (`consistentHash`). */
  hashKey?: string | undefined;
  /** Which nodes it may go to: `{ tags: ['canary'], meta: { version: '2' } }`. @default all */
  nodes?: NodeFilter | undefined;
  /** Whether running it twice does no harm, so that it may be sent again when nobody knows if it ran. @default the method's */
  idempotent?: boolean | undefined;
  /** Waits, up to its deadline, for a node that can be reached, where it would fail at once. @default false */
  waitForReady?: boolean | undefined;
  /** Calls this address (`host:port`) and asks no resolver. */
  target?: string | undefined;
  /** Compression of the requests; `uncompressed(message)` leaves one of them as it is. @default the client's */
  compression?: CompressionName | undefined;
  /** Told the metadata that comes before the reply, when the server sent any. */
  onHeader?: ((header: Metadata) => void) | undefined;
  /** Told the metadata that comes after the reply, also when the call fails. */
  onTrailer?: ((trailer: Metadata) => void) | undefined;
};

/** Who is at the other end. */
export interface Peer {
  /** `host:port`, or `unix` for a client of a unix socket. */
  readonly address: string;
  /** With mutual TLS, whom the verified client certificate names. */
  readonly certificate?: { readonly commonName?: string; readonly subjectAltNames: readonly string[] };
}

/** What both ends know about one call. */
export interface CallInfo {
  /** `helloworld.Greeter` */
  readonly service: string;
  readonly method: Method;
  /** On the client what will be sent (an interceptor may add to it), on the server what came. */
  readonly metadata: Metadata;
  /** On the clock of `performance.now()`; undefined when there is none. */
  readonly deadline: Deadline | undefined;
  /**
   * On the server it aborts when the call is cancelled, its deadline passes or its connection is lost; on the client
   * when the caller's own does, and when the reader leaves a stream of replies.
   */
  readonly signal: AbortSignal;
}

/**
 * What a handler is told about its call, and what it may say beside its reply. For the compiler a class, since its
 * members are not the object's own: it knows then that a copy by `{ ...context }` is no context.
 */
export declare abstract class CallContext implements CallInfo {
  abstract get service(): string;
  abstract get method(): Method;
  abstract get metadata(): Metadata;
  abstract get deadline(): Deadline | undefined;
  abstract get signal(): AbortSignal;
  abstract get peer(): Peer;
  /** Milliseconds until the deadline; Infinity without one. */
  abstract get remainingMs(): number;
  /** Sent before the first reply message; say `sendHeader()` to send it earlier. */
  abstract get header(): Metadata;
  /** Sent after the last reply message. */
  abstract get trailer(): Metadata;
  /**
   * Compression of the replies, to be set before the first of them; `uncompressed(message)` leaves one as it is. A
   * client that does not take it gets them as they are. At first it is the server's.
   */
  abstract get compression(): CompressionName;
  abstract set compression(name: CompressionName);
  /**
   * Whether the request came compressed; of several, the last that was read. Undefined where the transport does not
   * show it (`grpc-js`).
   */
  abstract get requestCompressed(): boolean | undefined;
  abstract sendHeader(): void;
}

/** A call as an interceptor sees it. `message` is one request, or an AsyncIterable of them, by the method's kind. */
export type Call = CallInfo & { readonly message: unknown } & (
    | { readonly side: 'client'; readonly options: CallOptions }
    | { readonly side: 'server'; readonly context: CallContext }
  );

/**
 * The answer: `message` is one reply, or an AsyncIterable of them, by the method's kind. On a server, the header (unless
 * a handler has sent it already) and the trailer of what the outermost interceptor returns are what the client gets.
 */
export interface Reply {
  readonly message: unknown;
  readonly header: Metadata;
  /** For a stream it is complete when the stream has ended. */
  readonly trailer: Metadata;
}

/** Whether a method's requests, or replies, are many. */
export const streamsRequests = (method: Method): boolean =>
  method.kind === 'clientStream' || method.kind === 'bidi';
export const streamsReplies = (method: Method): boolean =>
  method.kind === 'serverStream' || method.kind === 'bidi';

/**
 * Tells `done` once how the call ended, whatever its kind: for one reply that is now, for a stream of replies when
 * it has ended, failed, or been left before its end, which is CANCELLED. `done` runs in the async context in which
 * `whenDone` was called. Returns the reply to pass on.
 */
export function whenDone(call: Call, reply: Reply, done: (error: RpcError | undefined) => void): Reply {
  if (!streamsReplies(call.method)) {
    done(undefined);
    return reply;
  }
  const context = currentContext();
  const inContext = (error: RpcError | undefined) => context.runInAsyncScope(done, undefined, error);
  return { ...reply, message: new Watched(reply.message as AsyncIterable<unknown>, inContext) };
}
