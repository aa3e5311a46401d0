import { compressionNamed } from '../../codec/compression.js';
import type { Peer } from '../../rpc/call.js';
import { type CompressionName, isUncompressed } from '../../rpc/compression.js';
import { type Deadline, deadlineExceeded } from '../../rpc/deadline.js';
import { RpcError } from '../../rpc/error.js';
import { Metadata } from '../../rpc/metadata.js';
import { receivedError, unknownMethod } from '../../rpc/not-executed.js';
import type { MessageCodec } from '../../rpc/service.js';
import { type Timed, wheel } from '../../rpc/timer-wheel.js';
import { compressionTooLate } from '../compression-too-late.js';
import type { Cancellable, IncomingCall, OutgoingCall, Route } from '../transport.js';
import { subtypeOf, type WireMethod } from '../wire-method.js';
import type { Endpoint, Link } from './endpoint.js';

/** What unary calls and streams have in common; both ends of the call are this one object. */
export abstract class MemoryCall implements Timed, Cancellable, IncomingCall {
  readonly metadata: Metadata;
  readonly peer: Peer = { address: 'memory' };
  readonly deadline: Deadline | undefined;
  trailer: Metadata | undefined;
  running: Cancellable | undefined;
  wheelPrevious: Timed | undefined;
  wheelNext: Timed | undefined;
  wheelSlot: number | undefined;
  protected readonly link: Link;
  protected readonly call: OutgoingCall;
  protected endpoint: Endpoint | undefined;
  protected isEnded = false;
  requestCompressed = false;
  protected headerSent = false;
  #compression: CompressionName | undefined; // Of the replies, as the handler wants it.

  constructor(link: Link, call: OutgoingCall) {
    this.link = link;
    this.call = call;
    this.metadata = call.metadata?.clone() ?? new Metadata();
    this.deadline = call.deadline;
    link.calls.add(this);
    wheel.add(this);
  }

  get metadataBytes(): number {
    return this.metadata.sizeBytes;
  }

  get compression(): CompressionName {
    return this.#compression ?? this.endpoint?.options.compression ?? 'identity';
  }

  set compression(name: CompressionName) {
    compressionNamed(name);
    if (this.headerSent && name !== this.compression) throw compressionTooLate();
    this.#compression = name;
  }

  protected request(message: unknown): Sent {
    return sent(this.call.wire.request, message, this.call.compression ?? this.link.options.compression);
  }

  abstract sendHeader(header: Metadata): void;
  /** Tells the caller how it ended. Called once. */
  protected abstract tell(error: RpcError | undefined): void;

  cancel(error: RpcError): void {
    if (this.isEnded) return;
    this.finish(error);
    this.running?.cancel(error);
  }

  onDeadline(): void {
    this.cancel(deadlineExceeded(`no reply within the time-out from ${this.link.options.address}`));
  }

  /** Finds the server and the method there. @throws RpcError */
  protected arrive(): { route: Route; wire: WireMethod } {
    this.endpoint = this.link.endpoint();
    const { path } = this.call.wire.method;
    const route = this.endpoint.options.routes.get(path);
    if (!route) throw overTheWire(unknownMethod(path), undefined, false);
    const wire = route.wire(subtypeOf(this.call.wire.contentType) ?? '');
    if (wire instanceof RpcError) throw overTheWire(wire, undefined, false);
    this.endpoint.calls.add(this);
    return { route, wire };
  }

  protected finish(error: RpcError | undefined): void {
    if (this.isEnded) return;
    this.isEnded = true;
    wheel.remove(this);
    this.link.ended(this, this.endpoint);
    this.tell(error);
  }
}

/** A message on its way. */
export type Sent = { readonly bytes: Uint8Array; readonly compression: CompressionName };

export function sent(codec: MessageCodec, message: unknown, wanted: CompressionName): Sent {
  const compression = isUncompressed(message) ? 'identity' : wanted;
  // A copy, since a codec may use its buffer again.
  const bytes = codec.encode(message);
  const compressed = compressionNamed(compression).compress(bytes);
  return compressed
    ? { bytes: compressed.slice(), compression }
    : { bytes: bytes.slice(), compression: 'identity' };
}

/** A message at the other end: inflated, and no more than it takes. */
export const arrived = ({ bytes, compression }: Sent, maxBytes: number): Uint8Array =>
  compressionNamed(compression).decompress(bytes, maxBytes);

/** A server's error as a client gets it: code, text and metadata, and nothing of the server's own. */
export function overTheWire(reason: unknown, trailer: Metadata | undefined, hadBegun: boolean): RpcError {
  const error = RpcError.from(reason);
  const metadata = new Metadata();
  if (trailer) metadata.merge(trailer);
  if (error.metadata) metadata.merge(error.metadata);
  return receivedError(error.code, error.details, metadata, hadBegun);
}
