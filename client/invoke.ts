import { setMaxListeners } from 'node:events';
import { isStream, StreamInContext } from '../rpc/async-context.js';
import { type Call, type CallOptions, type Reply, streamsReplies } from '../rpc/call.js';
import { type Deadline, deadlineIn } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import { compose, type Interceptor, type Next } from '../rpc/interceptor.js';
import { LateIterator } from '../rpc/late-iterator.js';
import { Metadata } from '../rpc/metadata.js';
import { single } from '../rpc/single.js';
import { earlier, surroundingCall } from '../rpc/surrounding-call.js';
import type { BoundMethod } from './bound-method.js';
import { HedgedUnary } from './hedged-unary.js';
import { interceptedReplies } from './intercepted-replies.js';
import type { Retries } from './retry.js';
import type { Routing } from './routing.js';
import { StreamInvocation } from './stream.js';
import { ToldReplies } from './told-replies.js';
import { UnaryInvocation, type UnarySettle, type UnaryToSend } from './unary.js';

const NO_OPTIONS: CallOptions = Object.freeze({});
const NEVER = new AbortController().signal;
// Interceptors of any number of calls may listen to it.
setMaxListeners(0, NEVER);

export type InvokerOptions = {
  readonly routing: Routing;
  /** As of `Invoker.retries`. */
  readonly retries: Retries | undefined;
  readonly interceptors: readonly Interceptor[];
  /** As of `Invoker.timeoutMs`. */
  readonly timeoutMs: number;
};

/** Turns a method and its arguments into a call. One per client. */
export class Invoker {
  readonly routing: Routing;
  readonly #interceptors: readonly Interceptor[];
  readonly #chains = new WeakMap<BoundMethod, Next>();
  /** For unary calls that say none; may be set at any time, and counts from the next call on. */
  timeoutMs: number;
  /** Likewise. */
  retries: Retries | undefined;

  constructor(options: InvokerOptions) {
    this.routing = options.routing;
    this.retries = options.retries;
    this.#interceptors = options.interceptors;
    this.timeoutMs = options.timeoutMs;
  }

  /** What the user's method returns: a promise, or an AsyncIterable, by the method's kind. */
  invoke(method: BoundMethod, request: unknown, options: CallOptions = NO_OPTIONS): unknown {
    if (method.wire.method.kind === 'unary') return this.#unary(method, request, options);
    if (streamsReplies(method.wire.method)) return this.#replies(method, request, options);
    return this.#reply(method, request, options);
  }

  #unary(method: BoundMethod, request: unknown, options: CallOptions): Promise<unknown> {
    if (this.#interceptors.length > 0)
      return this.#throughChain(method, request, options).then((reply) => reply.message);
    return new Promise((resolve, reject) => {
      const now = performance.now();
      const call = {
        request,
        metadata: ownMetadata(options),
        deadline: deadlineIn(options.timeoutMs ?? this.timeoutMs, now),
        signal: options.signal,
      };
      const settle: UnarySettle = (error, reply) => {
        if (error) reject(error);
        else resolve(reply);
      };
      this.#startUnary(method, call, options, false, settle, now);
    });
  }

  /** Nothing is sent before the first reply is asked for. */
  #replies(method: BoundMethod, request: unknown, options: CallOptions): AsyncIterable<unknown> {
    let metadata: Metadata | undefined;
    try {
      metadata = ownMetadata(options);
    } catch (reason) {
      // Told like every failure of a stream: to the one who iterates.
      return new LateIterator(
        () => Promise.reject(reason),
        () => {},
      );
    }
    if (this.#interceptors.length > 0) {
      return interceptedReplies(options.signal, async (signal) => {
        const reply = await this.#throughChain(method, request, options, metadata ?? new Metadata(), signal);
        return reply.message as AsyncIterable<unknown>;
      });
    }
    const call = {
      message: request,
      metadata,
      signal: options.signal,
      deadline: () => streamDeadline(options),
    };
    return repliesTo(new StreamInvocation(this, method, call, options), options);
  }

  async #reply(method: BoundMethod, request: unknown, options: CallOptions): Promise<unknown> {
    if (this.#interceptors.length > 0) return (await this.#throughChain(method, request, options)).message;
    return single(this.#replies(method, request, options), `${method.wire.method.path}: reply`);
  }

  async #throughChain(
    method: BoundMethod,
    message: unknown,
    options: CallOptions,
    metadata = ownMetadata(options) ?? new Metadata(),
    signal = options.signal ?? NEVER,
  ): Promise<Reply> {
    let chain = this.#chains.get(method);
    if (!chain) {
      chain = compose(this.#interceptors, (call) => this.#last(method, call));
      this.#chains.set(method, chain);
    }
    const kind = method.wire.method.kind;
    const reply = chain({
      side: 'client',
      service: method.service,
      method: method.wire.method,
      metadata,
      deadline: earlier(
        kind === 'unary' ? deadlineIn(options.timeoutMs ?? this.timeoutMs) : streamDeadline(options),
        surroundingCall()?.deadline,
      ),
      signal,
      // Where interceptors wrap the caller's requests, these are asked for in the interceptors' context.
      message: isStream(message) && kind !== 'unary' ? new StreamInContext(message) : message,
      options,
    });
    // Whatever an interceptor throws, a caller gets the one error of calls.
    return reply.catch((reason: unknown) => {
      throw RpcError.from(reason);
    });
  }

  /** Behind the last interceptor: the call as they left it goes to a node. */
  #last(method: BoundMethod, call: Call): Promise<Reply> {
    if (call.side !== 'client')
      throw new TypeError('an interceptor of the client passed on a call of the server');
    return method.wire.method.kind === 'unary'
      ? this.#lastUnary(method, call)
      : this.#lastStream(method, call);
  }

  #lastUnary(method: BoundMethod, call: Call & { side: 'client' }): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const sent = {
        request: call.message,
        metadata: call.metadata,
        deadline: call.deadline,
        signal: sentSignal(call),
      };
      const settle: UnarySettle = (error, message, header, trailer) => {
        if (error) reject(error);
        else resolve({ message, header: header ?? new Metadata(), trailer: trailer ?? new Metadata() });
      };
      this.#startUnary(method, sent, call.options, true, settle, performance.now());
    });
  }

  #startUnary(
    method: BoundMethod,
    call: UnaryToSend,
    options: CallOptions,
    wantsMetadata: boolean,
    settle: UnarySettle,
    now: number,
  ): void {
    const { routing, retries } = this;
    const isHedged = retries?.isHedging && (options.idempotent ?? method.wire.method.idempotent);
    if (isHedged)
      new HedgedUnary({ routing, retries }, method, call, options, wantsMetadata, settle).start(now);
    else new UnaryInvocation(this, method, call, options, wantsMetadata, settle).start(now);
  }

  async #lastStream(method: BoundMethod, call: Call & { side: 'client' }): Promise<Reply> {
    const { message, metadata, deadline, options } = call;
    const sent = { message, metadata, signal: sentSignal(call), deadline: () => deadline };
    const stream = new StreamInvocation(this, method, sent, options);
    const { header } = stream;
    const replies = await begun(repliesTo(stream, options), header);
    if (streamsReplies(method.wire.method))
      return { message: replies, header: await header, trailer: stream.trailer };
    const reply = await single(replies, `${method.wire.method.path}: reply`);
    return { message: reply, header: await header, trailer: stream.trailer };
  }
}

const repliesTo = (stream: StreamInvocation, options: CallOptions): AsyncIterableIterator<unknown> =>
  options.onHeader || options.onTrailer ? new ToldReplies(stream, options) : stream;

/** A copy, since interceptors add to it, and the caller may change its own before the call is sent. */
const ownMetadata = ({ metadata }: CallOptions): Metadata | undefined =>
  metadata instanceof Metadata ? metadata.clone() : metadata && Metadata.from(metadata);

/** The user's signal; none is cheaper than one that never aborts. */
const sentSignal = (call: Call) => (call.signal === NEVER ? undefined : call.signal);

const streamDeadline = ({ timeoutMs }: CallOptions): Deadline | undefined =>
  timeoutMs === undefined ? undefined : deadlineIn(timeoutMs);

/** Waits for the header by asking for the first reply, since some servers send neither before they are read. */
async function begun(
  replies: AsyncIterator<unknown>,
  header: Promise<Metadata>,
): Promise<AsyncIterable<unknown>> {
  const first = replies.next();
  const settled = first.then(
    () => {},
    () => {},
  );
  await Promise.race([header, settled]);
  return new Resumed(replies, first);
}

/** An iteration whose first step is made already. */
class Resumed implements AsyncIterableIterator<unknown> {
  readonly #iterator: AsyncIterator<unknown>;
  #first: Promise<IteratorResult<unknown>> | undefined;

  constructor(iterator: AsyncIterator<unknown>, first: Promise<IteratorResult<unknown>>) {
    this.#iterator = iterator;
    this.#first = first;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown>> {
    const first = this.#first;
    if (!first) return this.#iterator.next();
    this.#first = undefined;
    return first;
  }

  async return(): Promise<IteratorResult<unknown>> {
    await this.#iterator.return?.();
    return { done: true, value: undefined };
  }
}
