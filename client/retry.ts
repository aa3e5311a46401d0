import type { Deadline } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import { checkLimit, MAX_TIMER_MS } from '../rpc/limit.js';
import { Metadata } from '../rpc/metadata.js';
import { isMissingMethod, mayHaveRun } from '../rpc/not-executed.js';
import { Status, type StatusName } from '../rpc/status.js';
import { earlier } from '../rpc/surrounding-call.js';
import { RetryBudget, type RetryBudgetOptions } from './retry-budget.js';

/**
 * When a call is sent again whose first attempt may have run. Only idempotent methods are: `idempotent: true` in the
 * service, an idempotency level in the .proto, or the call's own option. (gRFC A6.)
 */
export type RetryOptions = {
  /** Attempts in all, 1 to 5; hedged ones count. @default 3 */
  readonly attempts?: number | undefined;
  /** Statuses after which it is sent again. @default ['UNAVAILABLE'] */
  readonly statuses?: readonly StatusName[] | undefined;
  /** An attempt that takes longer is given up for the next one. @default Infinity */
  readonly perTryTimeoutMs?: number | undefined;
  /**
   * Whether UNIMPLEMENTED, without a header before it, shows that a call has not run: then it goes to another node
   * whatever its method. For servers other than Lictor's, which say it themselves of a method that they do not have.
   * @default false
   */
  readonly unimplemented?: boolean | undefined;
  /** Before the next attempt it waits between this and `maxDelayMs`, at random. @default 25 */
  readonly minDelayMs?: number | undefined;
  /** @default 250 */
  readonly maxDelayMs?: number | undefined;
  /**
   * Hedging of unary calls: after that long without an answer the call is sent to another node as well, and the first
   * answer counts. @default Infinity
   */
  readonly hedgeAfterMs?: number | undefined;
  /** Shared by all calls of the client. */
  readonly budget?: RetryBudgetOptions | undefined;
};

const DEFAULTS = {
  attempts: 3,
  statuses: ['UNAVAILABLE'] as readonly StatusName[],
  perTryTimeoutMs: Number.POSITIVE_INFINITY,
  unimplemented: false,
  minDelayMs: 25,
  maxDelayMs: 250,
  hedgeAfterMs: Number.POSITIVE_INFINITY,
};

/** gRFC A6: how many attempts were before this one. */
const PREVIOUS_ATTEMPTS = 'grpc-previous-rpc-attempts';
/** gRFC A6, in a server's trailer: milliseconds to wait before the next attempt; anything else forbids one. */
const PUSHBACK = 'grpc-retry-pushback-ms';
const MILLISECONDS = /^\d{1,9}$/;

/** Sent again at most this often when no server has seen the call: enough to step over nodes that have just died. */
export const MAX_UNSENT = 3;

/** Nodes that may say of one call that they lack its method: each is asked once, and known to lack it by then. */
export const MAX_MISSED = 32;

/** What a call has behind it when it is to be sent again. */
export type Attempts = {
  /** Attempts that a server may have begun, or has refused. */
  made: number;
  /** Those that no server has seen. */
  unsent: number;
  /** A server may have run one of them, whatever becomes of those after it. */
  mayHaveRun: boolean;
  /** Those at nodes that do not have the method. */
  missed: number;
  /** Why it was sent again before that. The caller gets this error when the other nodes lack the method. */
  failedBy: RpcError | undefined;
};

export const noAttempts = (): Attempts => ({
  made: 0,
  unsent: 0,
  mayHaveRun: false,
  missed: 0,
  failedBy: undefined,
});

/** How an attempt has failed. */
export type Failed = {
  readonly isIdempotent: boolean;
  /** The server had begun to answer, and what it said counts. */
  readonly isCommitted: boolean;
  /** The attempt has used up its own time, and the call has some left. */
  readonly isLate: boolean;
};

/** Decides which failed calls are sent again, and when. One per client. */
export class Retries {
  readonly #options: typeof DEFAULTS;
  readonly #statuses: ReadonlySet<Status>;
  readonly budget: RetryBudget;

  /** @throws RangeError or TypeError that names the option */
  constructor(options: RetryOptions = {}) {
    checkRetry(options);
    this.#options = withDefaults(options);
    this.#statuses = new Set(this.#options.statuses.map((name) => Status[name]));
    this.budget = new RetryBudget(options.budget ?? {});
  }

  get attempts(): number {
    return this.#options.attempts;
  }

  /** @param deadline of the whole call */
  deadlineOfAttempt(deadline: Deadline | undefined, now: number): Deadline | undefined {
    const { perTryTimeoutMs } = this.#options;
    if (perTryTimeoutMs === Number.POSITIVE_INFINITY) return deadline;
    return earlier(deadline, now + perTryTimeoutMs);
  }

  get isHedging(): boolean {
    return this.#options.hedgeAfterMs < Number.POSITIVE_INFINITY;
  }

  get hedgeAfterMs(): number {
    return this.#options.hedgeAfterMs;
  }

  /**
   * After an attempt has failed: the milliseconds after which the call is sent again, or undefined when it is not.
   * @param attempts the failed one included
   */
  delayMs(error: RpcError, attempts: Attempts, how: Failed, now: number): number | undefined {
    if (!this.isWorth(error, how)) return undefined;
    if (attempts.made >= this.#options.attempts) return undefined;
    const pushback = error.metadata?.get(PUSHBACK);
    if (pushback !== undefined && !MILLISECONDS.test(pushback)) return undefined;
    if (!this.budget.take(now)) return undefined;
    if (pushback !== undefined) return Math.min(Number(pushback), MAX_TIMER_MS);
    const { minDelayMs, maxDelayMs } = this.#options;
    return minDelayMs + Math.random() * Math.max(0, maxDelayMs - minDelayMs);
  }

  /** Whether another attempt could help, were there a budget. A server that refused has not run the call. */
  isWorth(error: RpcError, { isIdempotent, isCommitted, isLate }: Failed): boolean {
    if (isCommitted) return false;
    if (isRefused(error)) return true;
    return isIdempotent && (isLate || this.#statuses.has(error.code));
  }

  /**
   * Whether a call goes to another node at once after an UNIMPLEMENTED that does not say whether it has run. It may mean
   * this one request, so nobody remembers which nodes say so, and it is one of the call's attempts, and in the budget.
   * @param made attempts, the failed one included
   */
  goesElsewhere(error: RpcError, made: number, isIdempotent: boolean, now: number): boolean {
    // Without that it has not left this side, or the node has said more.
    if (error.code !== Status.UNIMPLEMENTED || !error.maybeExecuted) return false;
    if (!isIdempotent && !this.#options.unimplemented) return false;
    return made < this.#options.attempts && this.budget.take(now);
  }
}

/** No server has seen the call, and by now the selector knows that this node cannot be reached, or drains. */
export const isUnsent = (error: RpcError): boolean =>
  !error.maybeExecuted && error.code === Status.UNAVAILABLE;

/**
 * A server has begun to answer a unary call, and has said itself that it failed. When its answer was broken off instead,
 * the caller has seen none of it, and another attempt may give him a whole one.
 */
export const isCommitted = (header: Metadata | undefined, trailer: Metadata | undefined): boolean =>
  header !== undefined && trailer !== undefined;

/** A server has too much to do, and has not begun. */
const isRefused = (error: RpcError): boolean =>
  !error.maybeExecuted && error.code === Status.RESOURCE_EXHAUSTED;

/** What an attempt sends: the call's metadata, and how many attempts were before. */
export const metadataOfAttempt = (metadata: Metadata | undefined, previous: number): Metadata | undefined =>
  previous === 0 ? metadata : (metadata?.clone() ?? new Metadata()).set(PREVIOUS_ATTEMPTS, String(previous));

/**
 * The error of a call that was sent several times in vain. It tells those before, should a handler pass it on, not to
 * try again themselves: with three attempts at each of four services one call would become 81.
 */
function givenUp(error: RpcError, attempts: number): RpcError {
  const metadata = (error.metadata?.clone() ?? new Metadata()).set(PUSHBACK, '-1');
  const { cause, maybeExecuted } = error;
  return new RpcError(error.code, `${error.details} (the last of ${attempts} attempts)`, {
    cause: cause ?? error,
    metadata,
    maybeExecuted,
  });
}

/** The error that the caller gets of a call whose last attempt has failed with `error`. */
export function lastError(error: RpcError, { made, mayHaveRun: hasHad, failedBy }: Attempts): RpcError {
  const cause = isMissingMethod(error) ? (failedBy ?? error) : error;
  const last = made > 1 ? givenUp(cause, made) : cause;
  return hasHad ? mayHaveRun(last) : last;
}

function withDefaults(options: RetryOptions): typeof DEFAULTS {
  const { attempts, statuses, perTryTimeoutMs, unimplemented, minDelayMs, maxDelayMs, hedgeAfterMs } =
    options;
  const minimum = minDelayMs ?? DEFAULTS.minDelayMs;
  return {
    attempts: attempts ?? DEFAULTS.attempts,
    statuses: statuses ?? DEFAULTS.statuses,
    perTryTimeoutMs: perTryTimeoutMs ?? DEFAULTS.perTryTimeoutMs,
    unimplemented: unimplemented ?? DEFAULTS.unimplemented,
    minDelayMs: minimum,
    maxDelayMs: Math.max(minimum, maxDelayMs ?? DEFAULTS.maxDelayMs),
    hedgeAfterMs: hedgeAfterMs ?? DEFAULTS.hedgeAfterMs,
  };
}

const KNOWN: readonly string[] = [...Object.keys(DEFAULTS), 'budget'];

/** @throws RangeError or TypeError that names the option */
export function checkRetry(options: RetryOptions | false | undefined): void {
  if (options === false || options === undefined) return;
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`retry: options or false, got ${String(options)}`);
  const unknown = Object.keys(options).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined)
    throw new RangeError(`retry.${unknown.slice(0, 64)}: unknown, there are ${KNOWN.join(', ')}`);
  const { attempts, statuses, unimplemented, budget = {} } = options;
  if (attempts !== undefined && !(Number.isInteger(attempts) && attempts >= 1 && attempts <= 5))
    throw new RangeError(`retry.attempts: a whole number from 1 to 5, got ${attempts}`);
  for (const name of statuses ?? [])
    if (!Object.hasOwn(Status, name) || name === 'OK')
      throw new RangeError(`retry.statuses: names of errors such as 'UNAVAILABLE', got ${String(name)}`);
  if (unimplemented !== undefined && typeof unimplemented !== 'boolean')
    throw new TypeError(`retry.unimplemented: true or false, got ${String(unimplemented)}`);
  checkLimit('retry.perTryTimeoutMs', options.perTryTimeoutMs, 1);
  checkLimit('retry.minDelayMs', options.minDelayMs, 0);
  checkLimit('retry.maxDelayMs', options.maxDelayMs, 0);
  checkLimit('retry.hedgeAfterMs', options.hedgeAfterMs, 0);
  checkLimit('retry.budget.share', budget.share, 0);
  checkLimit('retry.budget.perSecond', budget.perSecond, 0);
}
