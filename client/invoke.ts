import { setMaxListeners } from 'node:events';
import { type Call, type CallOptions, type Reply, streamsReplies, streamsRequests } from '../rpc/call.js';
import { type Deadline, deadlineIn } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import { compose, type Interceptor, type Next } from '../rpc/interceptor.js';
import { LateIterator } from '../rpc/late-iterator.js';
import { Metadata } from '../rpc/metadata.js';
import { single } from '../rpc/single.js';
import { Status } from '../rpc/status.js';
import type { ReplyStream } from '../transport/transport.js';
import type { BoundMethod } from './bound-method.js';
import type { Routing } from './routing.js';
import { StreamInvocation } from './stream.js';
import { UnaryInvocation } from './unary.js';

const NO_OPTIONS: CallOptions = Object.freeze({});
const NEVER = new AbortController().signal;
// Interceptors of any number of calls may listen to it.
setMaxListeners(0, NEVER);

export type InvokerOptions = {
  readonly routing: Routing;
  readonly interceptors: readonly Interceptor[];
  /** As of `Invoker.timeoutMs`. */
  readonly timeoutMs: number;
};

/** Turns a method and its arguments into a call. One per client. */
export class Invoker {
  readonly #routing: Routing;
  readonly #interceptors: readonly Interceptor[];
  readonly #chains = new WeakMap<BoundMethod, Next>();
  /** For unary calls that say none; may be set at any time, and counts from the next call on. */
  timeoutMs: number;

  constructor(options: InvokerOptions) {
    this.#routing = options.routing;
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
      const call = {
        request,
        metadata: options.metadata && Metadata.from(options.metadata),
        deadline: deadlineIn(options.timeoutMs ?? this.timeoutMs),
        signal: options.signal,
      };
      new UnaryInvocation(this.#routing, method, call, options, false, (error, reply) => {
        if (error) reject(error);
        else resolve(reply);
      }).start();
    });
  }

  /** Nothing is sent before the first reply is asked for. */
  #replies(method: BoundMethod, request: unknown, options: CallOptions): AsyncIterable<unknown> {
    if (this.#interceptors.length > 0) {
      return new LateIterator(async () => {
        const reply = await this.#throughChain(method, request, options);
        return reply.message as AsyncIterable<unknown>;
      });
    }
    return new LateIterator(() => {
      const deadline = streamDeadline(options);
      const metadata = options.metadata && Metadata.from(options.metadata);
      const requests = streamsRequests(method.wire.method) ? checkedStream(method, request) : one(request);
      const call = { requests, metadata, deadline, signal: options.signal };
      return new StreamInvocation(this.#routing, method, call, options).open();
    });
  }

  async #reply(method: BoundMethod, request: unknown, options: CallOptions): Promise<unknown> {
    if (this.#interceptors.length > 0) return (await this.#throughChain(method, request, options)).message;
    return single(this.#replies(method, request, options), `${method.wire.method.path}: reply`);
  }

  async #throughChain(method: BoundMethod, message: unknown, options: CallOptions): Promise<Reply> {
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
      // A copy, since interceptors add to it and the caller may use its own again.
      metadata: options.metadata ? Metadata.from(options.metadata).clone() : new Metadata(),
      deadline: kind === 'unary' ? deadlineIn(options.timeoutMs ?? this.timeoutMs) : streamDeadline(options),
      signal: options.signal ?? NEVER,
      message,
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
      new UnaryInvocation(
        this.#routing,
        method,
        sent,
        call.options,
        true,
        (error, message, header, trailer) => {
          if (error) reject(error);
          else resolve({ message, header: header ?? new Metadata(), trailer: trailer ?? new Metadata() });
        },
      ).start();
    });
  }

  async #lastStream(method: BoundMethod, call: Call & { side: 'client' }): Promise<Reply> {
    const requests = streamsRequests(method.wire.method)
      ? checkedStream(method, call.message)
      : one(call.message);
    const { metadata, deadline } = call;
    const sent = { requests, metadata, deadline, signal: sentSignal(call) };
    const stream = await new StreamInvocation(this.#routing, method, sent, call.options).open();
    const replies = await begun(stream);
    const message = streamsReplies(method.wire.method)
      ? replies
      : await single(replies, `${method.wire.method.path}: reply`);
    return { message, header: await stream.header, trailer: stream.trailer };
  }
}

/** The user's signal; none is cheaper than one that never aborts. */
const sentSignal = (call: Call) => (call.signal === NEVER ? undefined : call.signal);

const streamDeadline = ({ timeoutMs }: CallOptions): Deadline | undefined =>
  timeoutMs === undefined ? undefined : deadlineIn(timeoutMs);

async function* one(request: unknown) {
  yield request;
}

function checkedStream(method: BoundMethod, requests: unknown): AsyncIterable<unknown> {
  if (typeof requests === 'object' && requests !== null && Symbol.asyncIterator in requests) {
    return requests as AsyncIterable<unknown>;
  }
  throw new RpcError(
    Status.INVALID_ARGUMENT,
    `${method.wire.method.path} takes an AsyncIterable of requests, got ${requests === null ? 'null' : typeof requests}`,
    { maybeExecuted: false },
  );
}

/** Waits for the header by asking for the first reply, since some servers send neither before they are read. */
async function begun(stream: ReplyStream): Promise<AsyncIterable<unknown>> {
  const iterator = stream[Symbol.asyncIterator]();
  const first = iterator.next();
  const settled = first.then(
    () => {},
    () => {},
  );
  await Promise.race([stream.header, settled]);
  return new Resumed(iterator, first);
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
