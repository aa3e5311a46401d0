import type { Call, CallContext, Peer } from '../rpc/call.js';
import type { CompressionName } from '../rpc/compression.js';
import { type Deadline, remainingMs } from '../rpc/deadline.js';
import type { Metadata } from '../rpc/metadata.js';
import type { Method } from '../rpc/service.js';

/** The context of a call into which an interceptor has put metadata, a deadline or a signal of its own. */
class PassedContext implements CallContext {
  readonly metadata: Metadata;
  readonly deadline: Deadline | undefined;
  readonly signal: AbortSignal;
  readonly #context: CallContext;

  constructor({ metadata, deadline, signal }: Call, context: CallContext) {
    this.metadata = metadata;
    this.deadline = deadline;
    this.signal = signal;
    this.#context = context;
  }

  get service(): string {
    return this.#context.service;
  }

  get method(): Method {
    return this.#context.method;
  }

  get peer(): Peer {
    return this.#context.peer;
  }

  get remainingMs(): number {
    return remainingMs(this.deadline);
  }

  get header(): Metadata {
    return this.#context.header;
  }

  get trailer(): Metadata {
    return this.#context.trailer;
  }

  get compression(): CompressionName {
    return this.#context.compression;
  }

  set compression(name: CompressionName) {
    this.#context.compression = name;
  }

  get requestCompressed(): boolean | undefined {
    return this.#context.requestCompressed;
  }

  sendHeader(): void {
    this.#context.sendHeader();
  }
}

/** What the handler is told of a call that an interceptor made. @throws TypeError for a copy of the context */
export function contextOf(call: Call & { side: 'server' }): CallContext {
  const { context } = call;
  // The compiler knows; JavaScript does not.
  if (typeof context.sendHeader !== 'function')
    throw new TypeError('an interceptor passed on a copy of the context, which has to be passed on as it is');
  const isUnchanged =
    call.metadata === context.metadata &&
    call.deadline === context.deadline &&
    call.signal === context.signal;
  return isUnchanged ? context : new PassedContext(call, context);
}
