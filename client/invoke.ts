import { setMaxListeners } from 'node:events';
import { type Call, type CallOptions, type Reply, streamsReplies, streamsRequests } from '../rpc/call.js';
import { type Deadline, deadlineIn } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import { compose, type Interceptor, type Next } from '../rpc/interceptor.js';
import { Metadata } from '../rpc/metadata.js';
import { single } from '../rpc/single.js';
import { Status } from '../rpc/status.js';
import type { BoundMethod } from './bound-method.js';
import type { Routing } from './routing.js';
import { type OpenStream, openStream } from './stream.js';
import { UnaryInvocation } from './unary.js';

const NO_OPTIONS: CallOptions = Object.freeze({});
const NEVER = new AbortController().signal;
// Interceptors of any number of calls may listen to it.
setMaxListeners(0, NEVER);

export type InvokerOptions = {
  readonly routing: Routing;
  readonly interceptors: readonly Interceptor[];
  /** For unary calls that say none. */
  readonly timeoutMs: number;
};

/** Turns a method and its arguments into a call. One per client. */
export class Invoker {
  readonly #routing: Routing;
  readonly #interceptors: readonly Interceptor[];
  readonly #timeoutMs: number;
  readonly #chains = new WeakMap<BoundMethod, Next>();

  constructor(options: InvokerOptions) {
    this.#routing = options.routing;
    this.#interceptors = options.interceptors;
    this.#timeoutMs = options.timeoutMs;
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
        deadline: deadlineIn(options.timeoutMs ?? this.#timeoutMs),
        signal: options.signal,
      };
      new UnaryInvocation(this.#routing, method, call, options, false, (error, reply) => {
        if (error) reject(error);
        else resolve(reply);
      }).start();
    });
  }

  /** Nothing is sent before the first reply is asked for. */
  async *#replies(
    method: BoundMethod,
    request: unknown,
    options: CallOptions,
  ): AsyncGenerator<unknown, void> {
    if (this.#interceptors.length > 0) {
      yield* (await this.#throughChain(method, request, options)).message as AsyncIterable<unknown>;
      return;
    }
    const deadline = streamDeadline(options);
    const metadata = options.metadata && Metadata.from(options.metadata);
    const requests = streamsRequests(method.wire.method) ? checkedStream(method, request) : one(request);
    const call = { requests, metadata, deadline, signal: options.signal };
    yield* (await openStream(this.#routing, method, call, options)).replies;
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
      deadline: kind === 'unary' ? deadlineIn(options.timeoutMs ?? this.#timeoutMs) : streamDeadline(options),
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
    const stream = await openStream(this.#routing, method, sent, call.options);
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
async function begun(stream: OpenStream): Promise<AsyncIterable<unknown>> {
  const iterator = stream.replies[Symbol.asyncIterator]();
  const first = iterator.next();
  const settled = first.then(
    () => {},
    () => {},
  );
  await Promise.race([stream.header, settled]);
  return resumed(iterator, first);
}

async function* resumed(iterator: AsyncIterator<unknown>, first: Promise<IteratorResult<unknown>>) {
  try {
    for (let step = await first; !step.done; step = await iterator.next()) yield step.value;
  } finally {
    await iterator.return?.();
  }
}
