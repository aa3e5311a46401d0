import { checkCompression } from '../codec/compression.js';
import { type Abortable, forgetAborted, tellWhenAborted } from '../rpc/aborted.js';
import type { CallOptions } from '../rpc/call.js';
import type { Deadline } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import { Metadata } from '../rpc/metadata.js';
import { Status } from '../rpc/status.js';
import type { BoundMethod } from './bound-method.js';
import { cancelledBy } from './cancelled-by.js';
import { type Requests, requestsOf } from './requests.js';
import type { Routed, Routing } from './routing.js';
import { type OutgoingStream, StreamAttempt } from './stream-attempt.js';
import { isUnsent, MAX_UNSENT } from './unsent.js';

type Step = IteratorResult<unknown, undefined>;

export type StreamToSend = {
  readonly message: unknown;
  readonly metadata: Metadata | undefined;
  readonly signal: AbortSignal | undefined;
  /** Asked when the call begins, which is when its time begins to run. */
  deadline(): Deadline | undefined;
};

/**
 * One streaming call from its options to its end, as its replies. It begins when the first of them is asked for; from
 * then on it must be iterated, or left with `return()`, to end. A node that was not reached is replaced by another, as
 * for unary calls. Once the first reply is there, the others come from the transport's own iterator, with no promise
 * in between: a generator with `yield*` would add three to each.
 */
export class StreamInvocation implements AsyncIterableIterator<unknown, undefined>, Abortable {
  readonly #routing: Routing;
  readonly #method: BoundMethod;
  readonly #call: StreamToSend;
  readonly #options: CallOptions;
  #first: Promise<Step> | undefined;
  #attempt: StreamAttempt | undefined;
  #finding: AbortController | undefined; // While it waits for a node.
  #replies: AsyncIterator<unknown> | undefined; // When no other node will be asked any more.
  #last: Promise<Step> | undefined;
  #isLeft = false;
  #header: Promise<Metadata> | undefined;
  #tellHeader: ((header: Metadata | Promise<Metadata>) => void) | undefined;

  constructor(routing: Routing, method: BoundMethod, call: StreamToSend, options: CallOptions) {
    this.#routing = routing;
    this.#method = method;
    this.#call = call;
    this.#options = options;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** As a transport's; to be asked for before the call begins. It resolves also when the call never reaches a node. */
  get header(): Promise<Metadata> {
    this.#header ??= new Promise((resolve) => {
      this.#tellHeader = resolve;
    });
    return this.#header;
  }

  /** Final when the header is there. */
  get trailer(): Metadata {
    return this.#attempt?.stream.trailer ?? new Metadata();
  }

  next(): Promise<Step> {
    if (this.#replies) {
      this.#last = this.#replies.next() as Promise<Step>;
      return this.#last;
    }
    if (!this.#first) {
      this.#first = this.#begin();
      return this.#first;
    }
    const next = () => this.next();
    return this.#first.then(next, next);
  }

  /** Ends the call with `error`. */
  cancel(error: RpcError): void {
    this.#attempt?.stream.cancel(error);
  }

  async return(): Promise<Step> {
    this.#isLeft = true;
    const replies = this.#replies;
    this.#replies = OVER;
    // What waits for a reply may end as the transport likes; nobody need look at it any more.
    this.#last?.catch(() => {});
    const left = new RpcError(Status.CANCELLED, 'the reader left the stream');
    this.#finding?.abort(left);
    const returned = replies?.return?.();
    // Also where that waits behind a `next()` that waits, or where the first reply is still to come.
    this.cancel(left);
    await returned;
    return DONE;
  }

  async #begin(): Promise<Step> {
    try {
      const step = await this.#firstStep();
      if (this.#isLeft) return DONE;
      this.#replies = this.#attempt!.replies;
      return step;
    } catch (reason) {
      this.#replies = OVER;
      if (this.#isLeft) return DONE;
      throw reason;
    } finally {
      this.#tellHeader?.(this.#attempt && !this.#isLeft ? this.#attempt.stream.header : new Metadata());
    }
  }

  async #firstStep(): Promise<Step> {
    const { compression } = this.#options;
    checkCompression(compression);
    const { message, metadata, signal } = this.#call;
    const { wire } = this.#method;
    const requests = requestsOf(wire.method, message);
    const call: OutgoingStream = { wire, metadata, deadline: this.#call.deadline(), compression, signal };
    for (let unsent = 0; ; unsent++) {
      if (signal?.aborted) throw cancelledBy(signal, false);
      const routed =
        this.#routing.route(this.#method, this.#options) ?? (await this.#whenKnown(call.deadline));
      // It may have aborted, or the reader have left, between the first list of nodes and now.
      if (signal?.aborted) throw cancelledBy(signal, false);
      if (this.#isLeft) return DONE;
      try {
        return await this.#send(call, routed, requests);
      } catch (reason) {
        const error = RpcError.from(reason, Status.INTERNAL);
        const again = !this.#isLeft && routed.load && isUnsent(error) && requests.canReplay;
        if (!again || unsent >= MAX_UNSENT) throw error;
      }
    }
  }

  #send(call: OutgoingStream, routed: Routed, requests: Requests): Promise<Step> {
    const attempt = new StreamAttempt(call, routed, requests.open());
    this.#attempt = attempt;
    const tell = this.#tellHeader;
    // Of an attempt that has ended the first step says whether it was the last one.
    if (tell) void attempt.stream.header.then((header) => !attempt.isOver && tell(header));
    return attempt.replies.next() as Promise<Step>;
  }

  async #whenKnown(deadline: Deadline | undefined): Promise<Routed> {
    const { signal } = this.#call;
    this.#finding = new AbortController();
    if (signal) tellWhenAborted(signal, this);
    try {
      return await this.#routing.routeWhenKnown(this.#method, this.#options, deadline, this.#finding.signal);
    } finally {
      this.#finding = undefined;
      if (signal) forgetAborted(signal, this);
    }
  }

  onAborted(signal: AbortSignal): void {
    this.#finding?.abort(signal.reason);
  }
}

const DONE: Step = { done: true, value: undefined };
const OVER: AsyncIterator<unknown> = { next: () => Promise.resolve(DONE) };
