import type { Peer } from '../rpc/call.js';
import type { CompressionName } from '../rpc/compression.js';
import type { Deadline } from '../rpc/deadline.js';
import type { RpcError } from '../rpc/error.js';
import type { Logger } from '../rpc/log.js';
import type { Metadata } from '../rpc/metadata.js';
import type { MethodKind } from '../rpc/service.js';
import type { TlsMaterial, TlsSource } from './tls/material.js';
import type { WireMethod } from './wire-method.js';

/** Carries one call to one node and back. The transport ends a call at its deadline by itself. */
export interface Transport {
  /**
   * One request, one reply. A path of its own, without streams, emitters or a promise per step: the caller's own
   * object is the call, and its `done` is called exactly once and never before `unary` has returned.
   */
  unary(call: UnaryCall): Cancellable;
  /**
   * Every other kind, and unary ones too, as an exchange of two streams. Requests are read at the pace at which
   * the node takes them. The replies are for one reader; leaving them early cancels the call.
   */
  stream(call: StreamCall, requests: AsyncIterable<unknown>): ReplyStream;
}

export interface OutgoingCall {
  readonly wire: WireMethod;
  readonly metadata: Metadata | undefined;
  readonly deadline: Deadline | undefined;
  /** Of its requests, but for those that are marked `uncompressed`; undefined is the connection's. */
  readonly compression?: CompressionName | undefined;
}

export interface StreamCall extends OutgoingCall {
  /**
   * Told once, when the node has nothing more to do with the call, and how it ended; replies may still lie unread.
   */
  ended(error: RpcError | undefined): void;
}

export interface UnaryCall extends OutgoingCall {
  readonly request: unknown;
  /** Whether header and trailer of a reply will be looked at; else a transport need not make them. Those of an error are. */
  readonly wantsMetadata: boolean;
  /**
   * Either `error` or `reply` counts. An error says by `maybeExecuted` whether a server may have run the call; without
   * a `header` the server had not begun to answer it; with one and no `trailer` its answer was broken off.
   */
  done(
    error: RpcError | undefined,
    reply: unknown,
    header: Metadata | undefined,
    trailer: Metadata | undefined,
  ): void;
}

export interface Cancellable {
  /** Ends the call with `error`; harmless once it has ended. */
  cancel(error: RpcError): void;
}

export interface ReplyStream extends AsyncIterable<unknown>, Cancellable {
  /** Resolves when the header has come, or empty when the call ended without one; never rejects. */
  readonly header: Promise<Metadata>;
  /** Complete when the iteration has ended. */
  readonly trailer: Metadata;
}

/** A way of carrying calls, with both its halves. */
export interface Engine {
  readonly name: string;
  /** False where there is nothing to encrypt: `tls` is not looked at, and `reloadTls` refused. @default true */
  readonly hasTls?: boolean | undefined;
  /** Opens nothing yet: the connection is made on its first call. */
  connect(options: ConnectOptions): Connection;
  /** Resolves when the address takes connections; rejects when it cannot be had. */
  listen(options: ListenOptions): Promise<Listener>;
}

export type ConnectOptions = {
  readonly address: string;
  /** Asked for each new connection, since certificates are renewed. */
  readonly tls: TlsSource | undefined;
  readonly maxMessageBytes: number;
  readonly compression: CompressionName;
  /** Told when the connection has failed or broken, and when it stands again; meanwhile it is tried again and again. */
  readonly onReachable: (reachable: boolean) => void;
};

/** The connection to one node, shared by calls. */
export interface Connection extends Transport {
  /** What has made it fail may be mended: one that waits before it connects again does not wait any longer. */
  connectNow?(): void;
  /** Takes no new calls, lets those in flight end, and cuts off what is left after `graceMs`. Harmless twice. */
  close(graceMs: number): Promise<void>;
}

export type ListenOptions = {
  /** Port 0 takes a free one. */
  readonly address: string;
  /** Those of the start; `Listener.renewTls` gives others. */
  readonly tls: TlsMaterial | undefined;
  readonly routes: Routes;
  readonly maxMessageBytes: number;
  /** The server refuses calls that bring more; what it leaves to the transport is to let that much come. */
  readonly maxMetadataBytes: number;
  readonly maxStreamsPerConnection: number;
  readonly maxConnectionsPerAddress: number;
  readonly compression: CompressionName;
  readonly logger: Logger;
};

export interface Listener {
  /** With the port that was taken. */
  readonly address: string;
  /** New connections get these certificates, those that are open stay. Without it a server's cannot be renewed. */
  renewTls?(tls: TlsMaterial): void;
  /**
   * Refuses new calls so that clients go elsewhere, lets those in flight end, cuts off the rest after `graceMs`.
   * Called again with less, it cuts the grace short.
   */
  close(graceMs: number): Promise<void>;
}

/** What a server answers to, by path (`/helloworld.Greeter/SayHello`). */
export type Routes = ReadonlyMap<string, Route>;

/** The server's half of one method: the mirror of Transport. */
export interface Route {
  readonly kind: MethodKind;
  /**
   * The method in the serialization that the client speaks.
   * @param subtype what follows `application/grpc+`; empty for the service's own
   */
  wire(subtype: string): WireMethod | RpcError;
  /** Answers by `call.reply` or `call.fail`. */
  unary(call: IncomingUnary, request: unknown): void;
  /** Answers by `call.write`, and at last by `call.end` or `call.fail`. The requests are for one reader. */
  stream(call: IncomingStream, requests: AsyncIterable<unknown>): void;
}

/** One call as it came to a server. */
export interface IncomingCall {
  readonly metadata: Metadata;
  /** Its size as HTTP/2 counts it, so that a call whose metadata nobody reads need not make it. */
  readonly metadataBytes: number;
  readonly peer: Peer;
  readonly deadline: Deadline | undefined;
  /** Whether the request, of several the last that was read, came compressed; undefined where that does not show. */
  readonly requestCompressed: boolean | undefined;
  /** Of the replies, but for those that are marked `uncompressed`. @throws RpcError on setting it too late, or to what the engine lacks */
  compression: CompressionName;
  sendHeader(header: Metadata): void;
  /** Read by the transport at the end of a call. */
  trailer: Metadata | undefined;
  /** Set by the server; cancelled once if the client cancels, the deadline passes or the connection is lost. */
  running: Cancellable | undefined;
}

export interface IncomingStream extends IncomingCall {
  /** Sends a reply; a promise is the client's pace: the next reply waits for it. @throws RpcError for one that cannot be sent */
  write(reply: unknown): Promise<void> | undefined;
  /** One of the two, once; after a cancellation they are ignored. */
  end(): void;
  fail(error: RpcError): void;
}

export interface IncomingUnary extends IncomingCall {
  /** The size of the request's message, inflated: what is held while the call waits for its turn. */
  readonly requestBytes: number;
  /** One of the two, once; after a cancellation they are ignored. */
  reply(message: unknown): void;
  fail(error: RpcError): void;
}
