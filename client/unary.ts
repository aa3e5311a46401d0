import type { AsyncResource } from 'node:async_hooks';
import { checkCompression } from '../codec/compression.js';
import { type Abortable, forgetAborted, tellWhenAborted } from '../rpc/aborted.js';
import { currentContext } from '../rpc/async-context.js';
import type { CallOptions } from '../rpc/call.js';
import type { CompressionName } from '../rpc/compression.js';
import type { Deadline } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import type { Metadata } from '../rpc/metadata.js';
import { isMissingMethod, mayHaveRun } from '../rpc/not-executed.js';
import { Status } from '../rpc/status.js';
import { earlier, surroundingCall } from '../rpc/surrounding-call.js';
import type { ListedNode } from '../selector/listed-node.js';
import type { Cancellable, UnaryCall } from '../transport/transport.js';
import type { WireMethod } from '../transport/wire-method.js';
import type { BoundMethod } from './bound-method.js';
import { cancelledBy } from './cancelled-by.js';
import {
  type Attempts,
  isCommitted,
  isUnsent,
  lastError,
  MAX_MISSED,
  MAX_UNSENT,
  metadataOfAttempt,
  noAttempts,
  type Retries,
} from './retry.js';
import type { Routed, Routing } from './routing.js';

export type UnaryToSend = {
  readonly request: unknown;
  readonly metadata: Metadata | undefined;
  readonly deadline: Deadline | undefined;
  readonly signal: AbortSignal | undefined;
};

export type UnarySettle = (
  error: RpcError | undefined,
  reply: unknown,
  header: Metadata | undefined,
  trailer: Metadata | undefined,
) => void;

/** One unary call from its options to its outcome, in as many attempts as it takes; the transport gets this very object. */
export class UnaryInvocation implements UnaryCall, Abortable {
  readonly wire: WireMethod;
  readonly request: unknown;
  readonly wantsMetadata: boolean;
  readonly compression: CompressionName | undefined;
  /** Of the attempt. */
  metadata: Metadata | undefined;
  deadline: Deadline | undefined;
  readonly #call: UnaryToSend;
  readonly #method: BoundMethod;
  readonly #routing: Routing;
  readonly #retries: Retries | undefined;
  readonly #options: CallOptions;
  /** Of the server's call in whose handler this one is made. */
  readonly #outerSignal: AbortSignal | undefined;
  readonly #settle: UnarySettle;
  /** The caller's, in which `onHeader` and `onTrailer` run. */
  readonly #context: AsyncResource | undefined;
  /** Of the whole call. */
  readonly #deadline: Deadline | undefined;
  #node: ListedNode | undefined;
  #began = 0;
  #sent: Cancellable | undefined;
  #attempts: Attempts | undefined;
  /** Nodes that have had the call; once there is such a list, it is kept. */
  #tried: ListedNode[] | undefined;
  #pause: NodeJS.Timeout | undefined;
  /** While no node had it. */
  #cancelled: RpcError | undefined;

  /**
   * @param retries undefined to send again only what no server has seen
   * @param tried nodes that are not to have the call; those that get it are added
   */
  constructor(
    { routing, retries }: { readonly routing: Routing; readonly retries: Retries | undefined },
    method: BoundMethod,
    call: UnaryToSend,
    options: CallOptions,
    wantsMetadata: boolean,
    settle: UnarySettle,
    tried?: ListedNode[],
  ) {
    this.#routing = routing;
    this.#retries = retries;
    this.#method = method;
    this.#call = call;
    this.wire = method.wire;
    this.request = call.request;
    this.metadata = call.metadata;
    const outer = surroundingCall();
    this.#outerSignal = outer?.signal;
    this.#deadline = this.deadline = outer ? earlier(call.deadline, outer.deadline) : call.deadline;
    this.#options = options;
    this.compression = options.compression;
    const hasCallbacks = options.onHeader !== undefined || options.onTrailer !== undefined;
    this.#context = hasCallbacks ? currentContext() : undefined;
    this.wantsMetadata = wantsMetadata || hasCallbacks;
    this.#settle = settle;
    this.#tried = tried;
  }

  /** @param now the time at which the call was made */
  start(now: number): void {
    const aborted = this.#aborted;
    if (aborted) return this.#settle(cancelledBy(aborted, false), undefined, undefined, undefined);
    if (this.#call.signal) tellWhenAborted(this.#call.signal, this);
    if (this.#outerSignal) tellWhenAborted(this.#outerSignal, this);
    this.#retries?.budget.count(now);
    this.#attempt(now);
  }

  onAborted(signal: AbortSignal): void {
    this.cancel(cancelledBy(signal, true));
  }

  /** Ends the call with `error`, once it has been started. */
  cancel(error: RpcError): void {
    if (this.#sent) return this.#sent.cancel(error);
    this.#cancelled = error;
    if (!this.#pause) return;
    clearTimeout(this.#pause);
    this.#end(error);
  }

  get #aborted(): AbortSignal | undefined {
    if (this.#call.signal?.aborted) return this.#call.signal;
    return this.#outerSignal?.aborted ? this.#outerSignal : undefined;
  }

  #attempt(now: number): void {
    try {
      checkCompression(this.compression);
      const routed = this.#routing.route(this.#method, this.#options, now, this.#tried);
      if (routed) return this.#send(routed, now);
    } catch (reason) {
      return this.#end(RpcError.from(reason, Status.INTERNAL));
    }
    const signal = this.#call.signal ?? this.#outerSignal;
    this.#routing.routeWhenKnown(this.#method, this.#options, this.#deadline, signal).then(
      (routed) => this.#send(routed, performance.now()),
      (reason) => this.#end(RpcError.from(reason, Status.INTERNAL)),
    );
  }

  #send({ connection, node }: Routed, now: number): void {
    // It may have aborted between the first list of nodes and now.
    const aborted = this.#aborted;
    if (aborted) return this.#end(cancelledBy(aborted, false));
    if (this.#cancelled) return this.#end(this.#cancelled);
    this.#node = node;
    this.#began = now;
    if (node) {
      node.began();
      this.#tried?.push(node);
    }
    if (this.#retries && this.#isIdempotent)
      this.deadline = this.#retries.deadlineOfAttempt(this.#deadline, now);
    try {
      this.#sent = connection.unary(this);
    } catch (reason) {
      // Its contract forbids it, but a transport may be anybody's.
      this.done(RpcError.from(reason, Status.INTERNAL), undefined, undefined, undefined);
    }
  }

  get #isIdempotent(): boolean {
    return this.#options.idempotent ?? this.wire.method.idempotent;
  }

  done(
    error: RpcError | undefined,
    reply: unknown,
    header: Metadata | undefined,
    trailer: Metadata | undefined,
  ): void {
    const now = performance.now();
    this.#sent = undefined;
    this.#node?.ended(error, this.#began, now, this.wire.method);
    if (!error) return this.#end(error, reply, header, trailer);
    if (this.#goesOn(error, header !== undefined, isCommitted(header, trailer), now)) return;
    this.#end(this.#attempts ? lastError(error, this.#attempts) : error, reply, header, trailer);
  }

  /** Whether the call that has failed is sent again. */
  #goesOn(error: RpcError, hasHeader: boolean, committed: boolean, now: number): boolean {
    // Ended from this side.
    if (error.code === Status.CANCELLED) return false;
    this.#attempts ??= noAttempts();
    const attempts = this.#attempts;
    if (error.maybeExecuted) attempts.mayHaveRun = true;
    const node = this.#node;
    if (node) this.#tried ??= [node];
    if (isMissingMethod(error)) return attempts.missed++ < MAX_MISSED && this.#goesElsewhere(now);
    if (isUnsent(error) && node) {
      if (this.#options.waitForReady || attempts.unsent++ < MAX_UNSENT) {
        attempts.failedBy = error;
        this.#attempt(now);
        return true;
      }
    }
    attempts.made++;
    const { made } = attempts;
    if (
      !hasHeader &&
      this.#hasUntried &&
      this.#retries?.goesElsewhere(error, made, this.#isIdempotent, now)
    ) {
      this.metadata = metadataOfAttempt(this.#call.metadata, attempts.made);
      if (this.#goesElsewhere(now)) return true;
    }
    const isLate =
      error.code === Status.DEADLINE_EXCEEDED && this.deadline !== this.#deadline && this.#hasTime(now);
    const how = { isIdempotent: this.#isIdempotent, isCommitted: committed, isLate };
    const delayMs = this.#retries?.delayMs(error, attempts, how, now);
    if (delayMs === undefined || !this.#hasTime(now + delayMs)) return false;
    this.metadata = metadataOfAttempt(this.#call.metadata, attempts.made);
    attempts.failedBy = error;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#attempt(performance.now());
    }, delayMs);
    return true;
  }

  get #hasUntried(): boolean {
    return this.#tried !== undefined && this.#routing.hasUntried(this.#method, this.#tried);
  }

  /** Whether it is sent at once to a node that has not had it. */
  #goesElsewhere(now: number): boolean {
    if (!this.#tried || !this.#hasTime(now)) return false;
    const routed = this.#routing.routeElsewhere(this.#method, this.#options, now, this.#tried);
    if (routed) this.#send(routed, now);
    return routed !== undefined;
  }

  #hasTime(at: number): boolean {
    return this.#deadline === undefined || at < this.#deadline;
  }

  #end(error: RpcError | undefined, reply?: unknown, header?: Metadata, trailer?: Metadata): void {
    if (this.#call.signal) forgetAborted(this.#call.signal, this);
    if (this.#outerSignal) forgetAborted(this.#outerSignal, this);
    const { onHeader, onTrailer } = this.#options;
    try {
      if (onHeader && header) this.#context!.runInAsyncScope(onHeader, undefined, header);
      if (onTrailer && trailer) this.#context!.runInAsyncScope(onTrailer, undefined, trailer);
    } catch (reason) {
      return this.#settle(RpcError.from(reason), undefined, header, trailer);
    }
    this.#settle(error && this.#attempts?.mayHaveRun ? mayHaveRun(error) : error, reply, header, trailer);
  }
}
