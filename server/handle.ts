import { type Call, type CallContext, type Reply, streamsReplies, streamsRequests } from '../rpc/call.js';
import { isRpcError, RpcError } from '../rpc/error.js';
import { compose, type Interceptor } from '../rpc/interceptor.js';
import type { Logger } from '../rpc/log.js';
import type { Method } from '../rpc/service.js';
import { single } from '../rpc/single.js';
import { Status } from '../rpc/status.js';
import type { IncomingCall, IncomingUnary } from '../transport/transport.js';
import { MAX_RESPONSE_METADATA_BYTES, ServerCall } from './context.js';
import type { Gate } from './gate.js';

/** A handler with its types gone: what it takes and gives follows from the method's kind. */
export type AnyHandler = (request: unknown, context: CallContext) => unknown;

/** Runs the calls of one method: admission, interceptors, handler, and what may go wrong in each. */
export class MethodRunner {
  readonly #service: string;
  readonly #method: Method;
  readonly #handler: AnyHandler;
  readonly #chain: ((call: Call) => Promise<Reply>) | undefined;
  readonly #gate: Gate;
  readonly #logger: Logger;

  constructor(
    service: string,
    method: Method,
    handler: AnyHandler,
    interceptors: readonly Interceptor[],
    gate: Gate,
    logger: Logger,
  ) {
    this.#service = service;
    this.#method = method;
    this.#handler = handler;
    this.#gate = gate;
    this.#logger = logger;
    this.#chain = interceptors.length > 0 ? compose(interceptors, (call) => this.#last(call)) : undefined;
  }

  unary(incoming: IncomingUnary, request: unknown): void {
    const refused = this.#gate.enter(incoming);
    if (refused) return incoming.fail(refused);
    const call = new ServerCall(this.#service, this.#method, incoming, this.#gate.deadlineOf(incoming));
    let answered = false;
    const answer = (error: RpcError | undefined, reply?: unknown) => {
      if (answered) return;
      answered = true;
      try {
        if (!error) call.headerIsDue();
        call.ended();
        if (error) incoming.fail(error);
        else incoming.reply(reply);
      } catch (reason) {
        incoming.fail(this.#failed(reason, call));
      }
    };
    // A handler that never settles ends with its call, for the client; its place is free when it is really done.
    call.onCancelled = (error) => answer(error);
    const settled = (error: RpcError | undefined, reply?: unknown) => {
      this.#gate.leave();
      answer(error, reply);
    };
    let result: unknown;
    let pending: boolean;
    try {
      result = this.#chain ? this.#throughChain(request, call) : this.#handler(request, call);
      pending = isPromise(result);
    } catch (reason) {
      return settled(this.#failed(reason, call));
    }
    if (!pending) return settled(this.#missing(result), result);
    // Not the thenable's own `then`, which may call back twice.
    Promise.resolve(result).then(
      (reply) => settled(this.#missing(reply), reply),
      (reason) => settled(this.#failed(reason, call)),
    );
  }

  async *stream(incoming: IncomingCall, requests: AsyncIterable<unknown>): AsyncGenerator<unknown, void> {
    const refused = this.#gate.enter(incoming);
    if (refused) throw refused;
    const call = new ServerCall(this.#service, this.#method, incoming, incoming.deadline);
    try {
      const message = streamsRequests(this.#method)
        ? requests
        : await single(requests, `${this.#method.path}: request`);
      const result = this.#chain
        ? await this.#throughChain(message, call)
        : await this.#handler(message, call);
      if (streamsReplies(this.#method)) {
        // A generator's body runs with the first step, so what it puts in the header is known only then.
        for await (const reply of this.#checkedStream(result)) {
          call.headerIsDue();
          yield this.#checkedOne(reply);
        }
        call.headerIsDue();
      } else {
        call.headerIsDue();
        yield this.#checkedOne(result);
      }
    } catch (reason) {
      throw this.#failed(reason, call);
    } finally {
      this.#gate.leave();
      call.ended();
    }
  }

  async #throughChain(message: unknown, context: ServerCall): Promise<unknown> {
    const { service, method, metadata, deadline } = context;
    const call: Call = {
      side: 'server',
      service,
      method,
      metadata,
      deadline,
      message,
      context,
      get signal() {
        return context.signal;
      },
    };
    return (await this.#chain!(call)).message;
  }

  async #last(call: Call): Promise<Reply> {
    if (call.side !== 'server')
      throw new TypeError('an interceptor of the server passed on a call of the client');
    const { context } = call;
    const result = await this.#handler(call.message, context);
    // Checked here too, so that interceptors see the call fail as its client does.
    const message = streamsReplies(this.#method) ? this.#checkedStream(result) : this.#checkedOne(result);
    return { message, header: context.header, trailer: context.trailer };
  }

  #missing(reply: unknown): RpcError | undefined {
    if (reply !== undefined) return undefined;
    return new RpcError(
      Status.INTERNAL,
      `${this.#method.path}: the handler returned nothing where a reply is wanted`,
    );
  }

  #checkedOne(result: unknown): unknown {
    const missing = this.#missing(result);
    if (missing) throw missing;
    return result;
  }

  #checkedStream(result: unknown): AsyncIterable<unknown> {
    if (typeof result === 'object' && result !== null && Symbol.asyncIterator in result)
      return result as AsyncIterable<unknown>;
    throw new RpcError(
      Status.INTERNAL,
      `${this.#method.path}: the handler returned no AsyncIterable of replies`,
    );
  }

  /** What the client is told. An error that was not written for clients stays in the log, under the id they get. */
  #failed(reason: unknown, call: ServerCall): RpcError {
    if (isRpcError(reason)) return sendable(reason);
    // A handler that stops because its signal aborted has not failed.
    if (call.cancelled) return call.cancelled;
    const id = crypto.randomUUID().slice(0, 8);
    try {
      this.#logger.error('a handler failed', { method: this.#method.path, id, error: reason });
    } catch {
      // A logger that fails must not take the call with it, nor the process.
    }
    return new RpcError(Status.UNKNOWN, `the handler failed; the server's log has it under ${id}`);
  }
}

/** Metadata that no client takes is left out; the status and its text are worth more. */
function sendable(error: RpcError): RpcError {
  if (!error.metadata || error.metadata.sizeBytes <= MAX_RESPONSE_METADATA_BYTES) return error;
  const bytes = error.metadata.sizeBytes;
  return new RpcError(
    error.code,
    `${error.details} (its metadata of ${bytes} bytes was too large to be sent)`,
  );
}

const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
