import { type Abortable, forgetAborted, tellWhenAborted } from '../rpc/aborted.js';
import { currentContext } from '../rpc/async-context.js';
import type { CallOptions } from '../rpc/call.js';
import type { Deadline } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import type { Metadata } from '../rpc/metadata.js';
import { mayHaveRun } from '../rpc/not-executed.js';
import { Status } from '../rpc/status.js';
import { type Timed, wheel } from '../rpc/timer-wheel.js';
import type { ListedNode } from '../selector/listed-node.js';
import type { BoundMethod } from './bound-method.js';
import { cancelledBy } from './cancelled-by.js';
import { isCommitted, lastError, metadataOfAttempt, noAttempts, type Retries } from './retry.js';
import type { Routing } from './routing.js';
import { UnaryInvocation, type UnarySettle, type UnaryToSend } from './unary.js';

/**
 * An idempotent unary call that goes to one more node when there is no answer for a while, or one has failed; the first
 * answer counts, and the other attempts are cancelled. (Hedging, as in gRFC A6.)
 */
export class HedgedUnary implements Timed, Abortable {
  /** When the next attempt is due. */
  deadline: Deadline | undefined;
  wheelPrevious: Timed | undefined;
  wheelNext: Timed | undefined;
  wheelSlot: number | undefined;
  readonly #routing: Routing;
  readonly #retries: Retries;
  readonly #method: BoundMethod;
  readonly #call: UnaryToSend;
  readonly #options: CallOptions;
  readonly #wantsMetadata: boolean;
  readonly #settle: UnarySettle;
  /** The caller's: attempts after the first begin with a timer, or with the end of another attempt. */
  readonly #context = currentContext();
  readonly #running = new Set<UnaryInvocation>();
  readonly #tried: ListedNode[] = [];
  readonly #attempts = noAttempts();
  #isOver = false;

  constructor(
    { routing, retries }: { readonly routing: Routing; readonly retries: Retries },
    method: BoundMethod,
    call: UnaryToSend,
    options: CallOptions,
    wantsMetadata: boolean,
    settle: UnarySettle,
  ) {
    this.#routing = routing;
    this.#retries = retries;
    this.#method = method;
    this.#call = call;
    // What is told of header and trailer is told once, of the attempt that counts.
    this.#options = { ...options, onHeader: undefined, onTrailer: undefined };
    this.#wantsMetadata = wantsMetadata || options.onHeader !== undefined || options.onTrailer !== undefined;
    this.#settle = (error, reply, header, trailer) => {
      try {
        if (header && options.onHeader) this.#context.runInAsyncScope(options.onHeader, undefined, header);
        if (trailer && options.onTrailer)
          this.#context.runInAsyncScope(options.onTrailer, undefined, trailer);
      } catch (reason) {
        return settle(RpcError.from(reason), undefined, header, trailer);
      }
      settle(error, reply, header, trailer);
    };
  }

  start(now: number): void {
    const { signal } = this.#call;
    if (signal?.aborted) return this.#settle(cancelledBy(signal, false), undefined, undefined, undefined);
    if (signal) tellWhenAborted(signal, this);
    this.#retries.budget.count(now);
    this.#attempt(now);
  }

  onDeadline(): void {
    const now = performance.now();
    if (!this.#isOver && this.#retries.budget.take(now)) this.#attemptInContext(now);
  }

  onAborted(signal: AbortSignal): void {
    this.#over(cancelledBy(signal, true), undefined, undefined, undefined);
  }

  #attemptInContext(now: number): void {
    this.#context.runInAsyncScope(this.#attempt, this, now);
  }

  #attempt(now: number): void {
    const call: UnaryToSend = {
      request: this.#call.request,
      metadata: metadataOfAttempt(this.#call.metadata, this.#attempts.made++),
      deadline: this.#retries.deadlineOfAttempt(this.#call.deadline, now),
      signal: undefined,
    };
    const attempt = new UnaryInvocation(
      { routing: this.#routing, retries: undefined },
      this.#method,
      call,
      this.#options,
      this.#wantsMetadata,
      (error, reply, header, trailer) => {
        this.#running.delete(attempt);
        if (!this.#isOver) this.#ended(error, reply, header, trailer);
      },
      this.#tried,
    );
    this.#running.add(attempt);
    if (this.#attempts.made < this.#retries.attempts) {
      this.deadline = now + this.#retries.hedgeAfterMs;
      wheel.add(this);
    }
    attempt.start(now);
  }

  #ended(
    error: RpcError | undefined,
    reply: unknown,
    header: Metadata | undefined,
    trailer: Metadata | undefined,
  ): void {
    if (error?.maybeExecuted) this.#attempts.mayHaveRun = true;
    const now = performance.now();
    const isLate =
      error?.code === Status.DEADLINE_EXCEEDED &&
      (this.#call.deadline === undefined || now < this.#call.deadline);
    const how = { isIdempotent: true, isCommitted: isCommitted(header, trailer), isLate };
    if (!error) return this.#over(undefined, reply, header, trailer);
    const attempts = this.#attempts;
    // The nodes of the other attempts may have the method.
    const isMissing = header === undefined && error.code === Status.UNIMPLEMENTED;
    if (
      (isMissing && this.#goesElsewhere(error, now)) ||
      this.#retries.delayMs(error, attempts, how, now) !== undefined
    ) {
      wheel.remove(this);
      attempts.failedBy = error;
      return this.#attemptInContext(now);
    }
    if (!isMissing && !this.#retries.isWorth(error, how)) return this.#over(error, reply, header, trailer);
    // Another one may still be answered.
    if (this.#running.size > 0) return;
    this.#over(lastError(error, attempts), undefined, header, trailer);
  }

  #goesElsewhere(error: RpcError, now: number): boolean {
    if (!this.#routing.hasUntried(this.#method, this.#tried)) return false;
    return this.#retries.goesElsewhere(error, this.#attempts.made, true, now);
  }

  #over(
    error: RpcError | undefined,
    reply: unknown,
    header: Metadata | undefined,
    trailer: Metadata | undefined,
  ): void {
    if (this.#isOver) return;
    this.#isOver = true;
    wheel.remove(this);
    if (this.#call.signal) forgetAborted(this.#call.signal, this);
    // A server may run those that are still on their way.
    const hadCall = this.#attempts.mayHaveRun || this.#running.size > 0;
    for (const attempt of this.#running) attempt.cancel(SUPERSEDED);
    this.#settle(error && hadCall ? mayHaveRun(error) : error, reply, header, trailer);
  }
}

const SUPERSEDED = new RpcError(Status.CANCELLED, 'another attempt was answered first');
