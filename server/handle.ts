import type { AsyncResource } from 'node:async_hooks';
import { currentContext, isStream, StreamInContext } from '../rpc/async-context.js';
import { type CallContext, streamsReplies } from '../rpc/call.js';
import { isRpcError, RpcError } from '../rpc/error.js';
import { compose, type Interceptor, type Next } from '../rpc/interceptor.js';
import type { Logger } from '../rpc/log.js';
import { NOT_EXECUTED } from '../rpc/not-executed.js';
import type { Method } from '../rpc/service.js';
import { Status } from '../rpc/status.js';
import { within } from '../rpc/surrounding-call.js';
import type { IncomingStream, IncomingUnary } from '../transport/transport.js';
import { MAX_RESPONSE_METADATA_BYTES, ServerCall } from './context.js';
import type { Gate } from './gate.js';
import { InterceptedCall } from './intercepted-call.js';
import { UsualTime } from './overload/usual-time.js';
import { contextOf } from './passed-context.js';
import type { Runner } from './runner.js';
import { StreamRun } from './stream-run.js';
import { UnaryRun } from './unary-run.js';

/** A handler with its types gone: what it takes and gives follows from the method's kind. */
export type AnyHandler = (request: unknown, context: CallContext) => unknown;

/** Runs the calls of one method: admission, interceptors, handler, and what may go wrong in each. */
export class MethodRunner implements Runner {
  readonly service: string;
  readonly method: Method;
  readonly gate: Gate;
  readonly usual = new UsualTime();
  readonly #handler: AnyHandler;
  readonly #chain: Next | undefined;
  readonly #logger: Logger;

  constructor(
    service: string,
    method: Method,
    handler: AnyHandler,
    interceptors: readonly Interceptor[],
    gate: Gate,
    logger: Logger,
  ) {
    this.service = service;
    this.method = method;
    this.gate = gate;
    this.#handler = handler;
    this.#logger = logger;
    this.#chain = interceptors.length > 0 ? compose(interceptors, behindInterceptors(this)) : undefined;
  }

  unary(incoming: IncomingUnary, request: unknown): void {
    const now = performance.now();
    const { gate } = this;
    const verdict = gate.enter(incoming, now);
    if (verdict === 'run') {
      const goesOn = this.#startUnary(incoming, request, now);
      gate.overload?.took(performance.now() - now, goesOn);
    } else if (verdict === 'wait') {
      // Its turn comes at the end of another call, in whose async context it must not run.
      const own = currentContext();
      gate.wait(incoming, incoming.requestBytes, now, (turn) =>
        this.#startUnary(incoming, request, turn, own),
      );
    }
  }

  /**
   * @param own the call's async context
   * @returns whether the handler goes on
   */
  #startUnary(
    incoming: IncomingUnary,
    request: unknown,
    now: number,
    own: AsyncResource = currentContext(),
  ): boolean {
    const run = new UnaryRun(this, incoming, now, own);
    return own.runInAsyncScope(run.start, run, request);
  }

  stream(incoming: IncomingStream, requests: AsyncIterable<unknown>): void {
    const now = performance.now();
    const { gate } = this;
    const verdict = gate.enter(incoming, now);
    if (verdict === 'run') {
      this.#startStream(incoming, requests);
      gate.overload?.took(performance.now() - now, true);
    } else if (verdict === 'wait') {
      const own = currentContext();
      gate.wait(incoming, 0, now, () => this.#startStream(incoming, requests, own));
    }
  }

  #startStream(
    incoming: IncomingStream,
    requests: AsyncIterable<unknown>,
    own: AsyncResource = currentContext(),
  ): true {
    const run = new StreamRun(this, incoming, own);
    void own.runInAsyncScope(run.start, run, requests);
    return true;
  }

  run(message: unknown, context: ServerCall): unknown {
    return this.#chain ? this.#throughChain(this.#chain, message, context) : this.#handler(message, context);
  }

  async #throughChain(chain: Next, message: unknown, context: ServerCall): Promise<unknown> {
    const reply = await chain(new InterceptedCall(message, context));
    context.answerWith(reply.header, reply.trailer);
    return reply.message;
  }

  /** Behind the interceptors. @param context of the call as they passed it on: its deadline or signal may be another */
  handle(message: unknown, context: CallContext, call: CallContext): unknown {
    return within(context, () => {
      if (call instanceof ServerCall) call.handlerBegins();
      return streamsReplies(this.method) ? this.#replies(message, context) : this.#handler(message, context);
    });
  }

  /** Their steps run in the async context in which the interceptors called the handler. */
  async #replies(message: unknown, context: CallContext): Promise<AsyncIterable<unknown>> {
    const asyncContext = currentContext();
    return new StreamInContext(this.checkedStream(await this.#handler(message, context)), asyncContext);
  }

  /** A reply, or the replies, as the method wants them. @throws RpcError INTERNAL */
  checked(result: unknown): unknown {
    if (streamsReplies(this.method)) return this.checkedStream(result);
    const missing = this.missing(result);
    if (missing) throw missing;
    return result;
  }

  missing(reply: unknown): RpcError | undefined {
    if (reply !== undefined) return undefined;
    return new RpcError(
      Status.INTERNAL,
      `${this.method.path}: the handler returned nothing where a reply is wanted`,
    );
  }

  checkedStream(result: unknown): AsyncIterable<unknown> {
    if (isStream(result)) return result;
    throw new RpcError(
      Status.INTERNAL,
      `${this.method.path}: the handler returned no AsyncIterable of replies`,
    );
  }

  /** What the client is told. An error that was not written for clients stays in the log, under the id they get. */
  failed(reason: unknown, call: ServerCall): RpcError {
    if (isRpcError(reason)) return sendable(reason);
    // A handler that stops because its signal aborted has not failed.
    if (call.cancelled) return call.cancelled;
    const id = crypto.randomUUID().slice(0, 8);
    try {
      this.#logger.error('a handler failed', { method: this.method.path, id, error: reason });
    } catch {
      // A logger that fails must not take the call with it, nor the process.
    }
    return new RpcError(Status.UNKNOWN, `the handler failed; the server's log has it under ${id}`);
  }
}

const behindInterceptors =
  (runner: MethodRunner): Next =>
  async (call) => {
    if (call.side !== 'server')
      throw new TypeError('an interceptor of the server passed on a call of the client');
    const context = call instanceof InterceptedCall ? call.context : contextOf(call);
    // Checked here too, so that interceptors see the call fail as its client does.
    const message = runner.checked(await runner.handle(call.message, context, call.context));
    return { message, header: context.header, trailer: context.trailer };
  };

/**
 * Metadata that no client takes is left out; the status and its text are worth more. So is the mark of a call that has not
 * run, from an error of another server that a handler passes on: the handler has run.
 */
function sendable(error: RpcError): RpcError {
  if (error.maybeExecuted && error.metadata?.get(NOT_EXECUTED) !== undefined) {
    const metadata = error.metadata.clone();
    metadata.delete(NOT_EXECUTED);
    return sendable(new RpcError(error.code, error.details, { metadata }));
  }
  if (!error.metadata || error.metadata.sizeBytes <= MAX_RESPONSE_METADATA_BYTES) return error;
  const bytes = error.metadata.sizeBytes;
  return new RpcError(
    error.code,
    `${error.details} (its metadata of ${bytes} bytes was too large to be sent)`,
  );
}
