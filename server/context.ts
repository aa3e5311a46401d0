import type { AsyncResource } from 'node:async_hooks';
import { currentContext } from '../rpc/async-context.js';
import type { CallContext, Peer } from '../rpc/call.js';
import type { CompressionName } from '../rpc/compression.js';
import { type Deadline, deadlineExceeded, remainingMs } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import { Metadata } from '../rpc/metadata.js';
import { NOT_EXECUTED } from '../rpc/not-executed.js';
import type { Method } from '../rpc/service.js';
import { Status } from '../rpc/status.js';
import { type Timed, wheel } from '../rpc/timer-wheel.js';
import type { IncomingCall } from '../transport/transport.js';

/** What every gRPC client takes; more would break its connection, and with it the calls of others. */
export const MAX_RESPONSE_METADATA_BYTES = 16 * 1024;

/** One call in a server: the handler's context, and what the server itself keeps of the call. */
export abstract class ServerCall implements CallContext, Timed {
  readonly service: string;
  readonly method: Method;
  readonly peer: Peer;
  readonly deadline: Deadline | undefined;
  wheelPrevious: Timed | undefined;
  wheelNext: Timed | undefined;
  wheelSlot: number | undefined;
  readonly #incoming: IncomingCall;
  readonly #own: AsyncResource;
  #header: Metadata | undefined;
  #trailer: Metadata | undefined;
  #headerSent = false;
  // Made when a handler asks for it: most do not, and an AbortController costs more than the rest of a call's state.
  #controller: AbortController | undefined;
  #listening: AsyncResource | undefined; // The async context of those who listen to the signal.
  #cancelled: RpcError | undefined;

  /**
   * @param deadline the client's, or the server's own for a call that came without
   * @param own the async context of this call alone, in which all that it runs is run
   */
  constructor(
    service: string,
    method: Method,
    incoming: IncomingCall,
    deadline: Deadline | undefined,
    own: AsyncResource,
  ) {
    this.service = service;
    this.method = method;
    this.#incoming = incoming;
    this.#own = own;
    this.peer = incoming.peer;
    this.deadline = deadline;
    incoming.running = this;
    // The transport watches over the client's deadline; the wheel over one that only the server knows.
    if (incoming.deadline === undefined) wheel.add(this);
  }

  /** The call is cancelled, and its handler may go on. */
  protected abstract onCancelled(error: RpcError): void;

  get metadata(): Metadata {
    return this.#incoming.metadata;
  }

  get remainingMs(): number {
    return remainingMs(this.deadline);
  }

  get cancelled(): RpcError | undefined {
    return this.#cancelled;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      this.#listening = currentContext();
      if (this.#cancelled) this.#controller.abort(this.#cancelled);
    }
    return this.#controller.signal;
  }

  /** Who has asked for the signal before, an interceptor that copies the call for one, need not be where the handler is. */
  handlerBegins(): void {
    if (this.#controller) this.#listening = currentContext();
  }

  get header(): Metadata {
    this.#header ??= new Metadata();
    return this.#header;
  }

  get trailer(): Metadata {
    this.#trailer ??= new Metadata();
    return this.#trailer;
  }

  get compression(): CompressionName {
    return this.#incoming.compression;
  }

  set compression(name: CompressionName) {
    this.#incoming.compression = name;
  }

  get requestCompressed(): boolean | undefined {
    return this.#incoming.requestCompressed;
  }

  /** What the interceptors returned, which need not be what the handler filled. */
  answerWith(header: Metadata | undefined, trailer: Metadata | undefined): void {
    if (header) this.#header = header;
    if (trailer) this.#trailer = trailer;
  }

  sendHeader(): void {
    if (this.#headerSent) return;
    checkSize('header', this.header);
    this.#headerSent = true;
    this.#incoming.sendHeader(this.header);
  }

  /** Before the first reply message. */
  headerIsDue(): void {
    if (this.#header) this.sendHeader();
  }

  /** At the end of the call, before its status is sent. */
  ended(): void {
    wheel.remove(this);
    if (this.#trailer) {
      // Only the server itself says that a call has not run.
      this.#trailer.delete(NOT_EXECUTED);
      checkSize('trailer', this.#trailer);
    }
    this.#incoming.trailer = this.#trailer;
  }

  /** From a timer, a socket or another call: what it ends runs in its own async context all the same. */
  cancel(error: RpcError): void {
    if (this.#cancelled) return;
    this.#cancelled = error;
    this.#listening?.runInAsyncScope(() => this.#controller!.abort(error));
    this.#own.runInAsyncScope(this.onCancelled, this, error);
  }

  onDeadline(): void {
    this.cancel(
      deadlineExceeded(
        `${this.method.path}: the server's own time-out for calls without a deadline has passed`,
      ),
    );
  }
}

/** @throws RpcError INTERNAL */
function checkSize(what: string, metadata: Metadata): void {
  if (metadata.sizeBytes <= MAX_RESPONSE_METADATA_BYTES) return;
  throw new RpcError(
    Status.INTERNAL,
    `the ${what} of the reply has ${metadata.sizeBytes} bytes, at most ${MAX_RESPONSE_METADATA_BYTES} are sent`,
  );
}
