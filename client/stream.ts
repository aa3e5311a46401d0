import { setTimeout as sleep } from 'node:timers/promises';
import { checkCompression } from '../codec/compression.js';
import { type Abortable, forgetAborted, tellWhenAborted } from '../rpc/aborted.js';
import { type CallOptions, streamsReplies } from '../rpc/call.js';
import type { Deadline } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import { Metadata } from '../rpc/metadata.js';
import { isMissingMethod, mayHaveRun } from '../rpc/not-executed.js';
import { Status } from '../rpc/status.js';
import { earlier, surroundingCall } from '../rpc/surrounding-call.js';
import type { ListedNode } from '../selector/listed-node.js';
import type { BoundMethod } from './bound-method.js';
import { cancelledBy } from './cancelled-by.js';
import { inCallersContext, type Requests, requestsOf } from './requests.js';
import {
  isUnsent,
  lastError,
  MAX_MISSED,
  MAX_UNSENT,
  metadataOfAttempt,
  noAttempts,
  type Retries,
} from './retry.js';
import type { Routed, Routing } from './routing.js';
import { type OutgoingStream, StreamAttempt } from './stream-attempt.js';

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
  readonly #message: unknown;
  readonly #options: CallOptions;
  readonly #retries: Retries | undefined;
  /** Of the server's call in whose handler this one is made. */
  readonly #outerDeadline: Deadline | undefined;
  readonly #signals: readonly AbortSignal[];
  #first: Promise<Step> | undefined;
  #attempt: StreamAttempt | undefined;
  #waiting: AbortController | undefined; // While it waits for a node, or before the next attempt.
  #replies: AsyncIterator<unknown> | undefined; // When no other node will be asked any more.
  #last: Promise<Step> | undefined;
  #isLeft = false;
  readonly #attempts = noAttempts();
  #header: Promise<Metadata> | undefined;
  #tellHeader: ((header: Metadata | Promise<Metadata>) => void) | undefined;

  /** @param retries undefined to send again only what no server has seen */
  constructor(
    { routing, retries }: { readonly routing: Routing; readonly retries: Retries | undefined },
    method: BoundMethod,
    call: StreamToSend,
    options: CallOptions,
  ) {
    this.#routing = routing;
    this.#retries = retries;
    this.#method = method;
    this.#call = call;
    this.#message = inCallersContext(method.wire.method, call.message);
    this.#options = options;
    const outer = surroundingCall();
    this.#outerDeadline = outer?.deadline;
    this.#signals = [call.signal, outer?.signal].filter((signal) => signal !== undefined);
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
    this.#waiting?.abort(left);
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
      throw this.#attempts.mayHaveRun ? mayHaveRun(RpcError.from(reason, Status.INTERNAL)) : reason;
    } finally {
      this.#tellHeader?.(this.#attempt && !this.#isLeft ? this.#attempt.stream.header : new Metadata());
    }
  }

  async #firstStep(): Promise<Step> {
    const { compression } = this.#options;
    checkCompression(compression);
    const { metadata } = this.#call;
    const { wire } = this.#method;
    const requests = requestsOf(wire.method, this.#message);
    const deadline = earlier(this.#call.deadline(), this.#outerDeadline);
    const call: OutgoingStream = { wire, metadata, deadline, compression, signals: this.#signals };
    const attempts = this.#attempts;
    let tried: ListedNode[] | undefined;
    let elsewhere: Routed | undefined;
    this.#retries?.budget.count(performance.now());
    for (;;) {
      this.#checkSignals();
      const routed = elsewhere ?? this.#route(tried) ?? (await this.#whenKnown(deadline));
      // It may have aborted, or the reader have left, between the first list of nodes and now.
      this.#checkSignals();
      if (this.#isLeft) return DONE;
      if (routed.node) tried = [...(tried ?? []), routed.node];
      try {
        return await this.#send(metadataOfAttempt(metadata, attempts.made), call, routed, requests);
      } catch (reason) {
        const error = RpcError.from(reason, Status.INTERNAL);
        if (error.maybeExecuted) attempts.mayHaveRun = true;
        const again = !this.#isLeft && requests.canReplay;
        elsewhere = again && tried ? this.#elsewhere(error, tried, deadline) : undefined;
        if (elsewhere) continue;
        const delayMs = again ? this.#delayMs(error, routed, deadline) : undefined;
        if (delayMs === undefined) throw lastError(error, attempts);
        attempts.failedBy = error;
        if (delayMs > 0) await this.#interruptible((signal) => sleep(delayMs, undefined, { signal }));
      }
    }
  }

  #route(tried: readonly ListedNode[] | undefined): Routed | undefined {
    return this.#routing.route(this.#method, this.#options, performance.now(), tried);
  }

  #checkSignals(): void {
    for (const signal of this.#signals) if (signal.aborted) throw cancelledBy(signal, false);
  }

  /** A node that has not had the call, when this one does not have its method. */
  #elsewhere(
    error: RpcError,
    tried: readonly ListedNode[],
    deadline: Deadline | undefined,
  ): Routed | undefined {
    const attempts = this.#attempts;
    const now = performance.now();
    if (deadline !== undefined && now >= deadline) return undefined;
    if (isMissingMethod(error)) {
      if (attempts.missed++ >= MAX_MISSED) return undefined;
    } else {
      if (this.#attempt?.isCommitted || !this.#routing.hasUntried(this.#method, tried)) return undefined;
      if (!this.#retries?.goesElsewhere(error, attempts.made + 1, this.#isIdempotent, now)) return undefined;
    }
    const routed = this.#routing.routeElsewhere(this.#method, this.#options, now, tried);
    if (routed && !isMissingMethod(error)) attempts.made++;
    return routed;
  }

  get #isIdempotent(): boolean {
    return this.#options.idempotent ?? this.#method.wire.method.idempotent;
  }

  /** After which time the call goes to another node, if it does. */
  #delayMs(error: RpcError, { node }: Routed, deadline: Deadline | undefined): number | undefined {
    const attempts = this.#attempts;
    if (error.code === Status.CANCELLED || isMissingMethod(error)) return undefined;
    if (isUnsent(error) && node && (this.#options.waitForReady || attempts.unsent++ < MAX_UNSENT)) return 0;
    attempts.made++;
    const how = {
      isIdempotent: this.#isIdempotent,
      isCommitted: this.#attempt?.isCommitted ?? false,
      isLate: false,
    };
    const now = performance.now();
    const delayMs = this.#retries?.delayMs(error, attempts, how, now);
    if (delayMs === undefined || (deadline !== undefined && now + delayMs >= deadline)) return undefined;
    return delayMs;
  }

  async #send(
    metadata: Metadata | undefined,
    call: OutgoingStream,
    routed: Routed,
    requests: Requests,
  ): Promise<Step> {
    const attempt = new StreamAttempt({ ...call, metadata }, routed, requests.open(), performance.now());
    this.#attempt = attempt;
    const tell = this.#tellHeader;
    // Of an attempt that has ended the first step says whether it was the last one.
    void attempt.stream.header.then((header) => {
      if (attempt.isOver) return;
      attempt.isCommitted = true;
      tell?.(header);
    });
    const step = (await attempt.replies.next()) as Step;
    if (!step.done && streamsReplies(call.wire.method)) attempt.answered();
    return step;
  }

  #whenKnown(deadline: Deadline | undefined): Promise<Routed> {
    return this.#interruptible((signal) =>
      this.#routing.routeWhenKnown(this.#method, this.#options, deadline, signal),
    );
  }

  /** Waits for something until one of the call's signals aborts, or the reader leaves. */
  async #interruptible<T>(wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#waiting = new AbortController();
    for (const signal of this.#signals) tellWhenAborted(signal, this);
    try {
      return await wait(this.#waiting.signal);
    } catch (reason) {
      throw RpcError.from(
        this.#waiting.signal.aborted ? this.#waiting.signal.reason : reason,
        Status.CANCELLED,
      );
    } finally {
      this.#waiting = undefined;
      for (const signal of this.#signals) forgetAborted(signal, this);
    }
  }

  onAborted(signal: AbortSignal): void {
    this.#waiting?.abort(signal.reason);
  }
}

const DONE: Step = { done: true, value: undefined };
const OVER: AsyncIterator<unknown> = { next: () => Promise.resolve(DONE) };
