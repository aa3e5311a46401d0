import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerDuplexStream, ServerUnaryCall, StatusObject, sendUnaryData } from '@grpc/grpc-js';
import type { Peer } from '../../rpc/call.js';
import type { CompressionName } from '../../rpc/compression.js';
import type { Deadline } from '../../rpc/deadline.js';
import { RpcError } from '../../rpc/error.js';
import type { Metadata } from '../../rpc/metadata.js';
import { Status } from '../../rpc/status.js';
import { HOLD_MS, HOLD_TURNS, inTurns, mayEndBeforeReset } from '../end-before-reset.js';
import { peerOf } from '../peer.js';
import type { Cancellable, IncomingCall, IncomingStream, IncomingUnary, Route } from '../transport.js';
import { subtypeOf, type WireMethod } from '../wire-method.js';
import { asBuffer } from './as-buffer.js';
import { fromGrpc, toGrpc } from './metadata.js';
import { CONTENT_TYPE_KEY } from './request-headers.js';
import { repliesAreNotCompressed } from './write-flags.js';

/** Characters of an error's text that travel: each becomes up to nine bytes of a header. */
const MAX_DETAILS = 2_048;

type AnyServerCall = ServerUnaryCall<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

/** What every call on a grpc-js server has in common. */
class GrpcIncoming implements IncomingCall {
  readonly metadata: Metadata;
  readonly peer: Peer;
  readonly deadline: Deadline | undefined;
  readonly subtype: string;
  trailer: Metadata | undefined;
  running: Cancellable | undefined;
  /** grpc-js inflates requests before they show. */
  readonly requestCompressed = undefined;
  readonly #call: AnyServerCall;
  protected isAnswered = false;
  #headerSent = false;

  constructor(call: AnyServerCall) {
    this.#call = call;
    const contentType = call.metadata.get(CONTENT_TYPE_KEY)[0];
    this.subtype = subtypeOf(String(contentType ?? '')) ?? '';
    call.metadata.remove(CONTENT_TYPE_KEY);
    this.metadata = fromGrpc(call.metadata);
    this.peer = peerOf(call.getPeer(), call.getAuthContext().sslPeerCertificate);
    const until = call.getDeadline();
    const left = (until instanceof Date ? until.getTime() : until) - Date.now();
    this.deadline = left === Number.POSITIVE_INFINITY ? undefined : performance.now() + left;
    call.on('cancelled', () => {
      // grpc-js also says so of every call that has been answered.
      if (this.isAnswered) return;
      const expired = this.deadline !== undefined && performance.now() >= this.deadline;
      this.running?.cancel(
        expired
          ? new RpcError(Status.DEADLINE_EXCEEDED, 'the deadline passed before the reply')
          : new RpcError(Status.CANCELLED, 'cancelled by the client, or its connection was lost'),
      );
    });
  }

  get metadataBytes(): number {
    return this.metadata.sizeBytes;
  }

  get compression(): CompressionName {
    return 'identity';
  }

  set compression(name: CompressionName) {
    if (name !== 'identity') throw repliesAreNotCompressed(name);
  }

  sendHeader(header: Metadata): void {
    if (this.#headerSent || this.#call.cancelled) return;
    this.#headerSent = true;
    this.#call.sendMetadata(toGrpc(header));
  }
}

export class GrpcIncomingUnary extends GrpcIncoming implements IncomingUnary {
  requestBytes = 0;
  readonly #callback: sendUnaryData<Buffer>;
  #wire: WireMethod | undefined;

  constructor(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) {
    super(call);
    this.#callback = callback;
  }

  run(route: Route, bytes: Buffer): void {
    const wire = route.wire(this.subtype);
    if (wire instanceof RpcError) return this.fail(wire);
    this.#wire = wire;
    this.requestBytes = bytes.length;
    let request: unknown;
    try {
      request = wire.request.decode(bytes);
    } catch (reason) {
      return this.fail(RpcError.from(reason, Status.INTERNAL));
    }
    route.unary(this, request);
  }

  reply(message: unknown): void {
    let bytes: Buffer;
    try {
      bytes = asBuffer(this.#wire!.reply.encode(message));
    } catch (reason) {
      return this.fail(RpcError.from(reason, Status.INTERNAL));
    }
    this.isAnswered = true;
    this.#callback(null, bytes, this.trailer && toGrpc(this.trailer));
  }

  fail(error: RpcError): void {
    this.isAnswered = true;
    this.#callback(statusOf(error, this.trailer));
  }
}

export class GrpcIncomingStream extends GrpcIncoming implements IncomingStream {
  readonly #call: ServerDuplexStream<Buffer, Buffer>;
  #wire: WireMethod | undefined;
  #room: (() => void) | undefined; // Wakes the writer that waits for the reader.

  constructor(call: ServerDuplexStream<Buffer, Buffer>) {
    super(call);
    this.#call = call;
    const onRoom = () => this.#room?.();
    call.on('drain', onRoom);
    call.on('close', onRoom);
  }

  run(route: Route): void {
    const wire = route.wire(this.subtype);
    if (wire instanceof RpcError) return this.fail(wire);
    this.#wire = wire;
    const holds = route.kind !== 'serverStream' && mayEndBeforeReset(this.#userAgent);
    route.stream(this, this.#requests(wire, holds));
  }

  get #userAgent(): string | undefined {
    return this.#call.metadata.get('user-agent')[0]?.toString();
  }

  async *#requests(wire: WireMethod, holds: boolean): AsyncGenerator<unknown, void> {
    try {
      // A handler that has read enough must still be able to reply, so leaving the loop keeps the stream.
      for await (const bytes of this.#call.iterator({ destroyOnReturn: false })) {
        yield wire.request.decode(bytes as Buffer);
      }
      // grpc-js shows a reset stream as one that ended well, and says that it was cancelled only some turns later.
      if (holds) await sleep(HOLD_MS);
      await new Promise<void>((resolve) => inTurns(HOLD_TURNS, resolve));
      if (this.#call.cancelled)
        throw new RpcError(Status.CANCELLED, 'the client cancelled before its last request');
    } catch (reason) {
      if (reason instanceof RpcError) throw reason;
      throw new RpcError(Status.CANCELLED, 'the requests ended early', { cause: reason });
    }
  }

  write(message: unknown): Promise<void> | undefined {
    if (this.#call.write(asBuffer(this.#wire!.reply.encode(message)))) return undefined;
    return new Promise((resolve) => {
      this.#room = resolve;
    });
  }

  end(): void {
    this.isAnswered = true;
    this.#call.end(this.trailer && toGrpc(this.trailer));
  }

  fail(error: RpcError): void {
    this.isAnswered = true;
    if (!this.#call.cancelled) this.#call.emit('error', statusOf(error, this.trailer));
  }
}

/** An error as grpc-js sends it: the trailer and the error's own metadata together. */
function statusOf(error: RpcError, trailer: Metadata | undefined): Partial<StatusObject> {
  // A lone surrogate makes grpc-js throw, and headers that are too long take the whole connection down.
  const details = error.details.slice(0, MAX_DETAILS).toWellFormed();
  return { code: error.code, details, metadata: toGrpc(error.metadata, toGrpc(trailer)) };
}
