import { Metadata, type MetadataInit } from './metadata.js';
import { Status, type StatusName, statusFrom, statusName } from './status.js';

export type RpcErrorOptions = {
  /** What led to this error. Kept for the log, never sent to the peer. */
  cause?: unknown | undefined;
  /** Trailing metadata: sent to the client when a handler throws, received from the server by a client. */
  metadata?: MetadataInit | undefined;
  /** Whether a server may have run the call. @default true */
  maybeExecuted?: boolean | undefined;
};

const BRAND = Symbol.for('lictor.RpcError');

/**
 * The one error of every call, on both sides.
 *
 * A handler throws it to answer with a status; whatever else a handler throws reaches the client as UNKNOWN
 * without its text, since that text was not written for a client.
 */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: Status;
  /** The text without the code: what travels as `grpc-message`. */
  readonly details: string;
  readonly metadata: Metadata | undefined;
  /** False only when it is certain that no server has seen the call, so that it is safe to send it again. */
  readonly maybeExecuted: boolean;

  constructor(code: Status, details: string, options: RpcErrorOptions = {}) {
    // OK is no error, and what gRPC does not define cannot travel.
    const known = code === Status.OK ? Status.UNKNOWN : statusFrom(code);
    super(`[${statusName(known)}] ${details}`, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = known;
    this.details = String(details);
    this.metadata = options.metadata ? Metadata.from(options.metadata) : undefined;
    this.maybeExecuted = options.maybeExecuted ?? true;
  }

  get [BRAND](): true {
    return true;
  }

  get status(): StatusName {
    return statusName(this.code);
  }

  /**
   * Whatever was thrown, as an RpcError: an RpcError stays itself, an aborted signal's reason becomes CANCELLED,
   * a time-out DEADLINE_EXCEEDED, everything else `code`. The original is the `cause`.
   */
  static from(reason: unknown, code: Status = Status.UNKNOWN): RpcError {
    if (isRpcError(reason)) return reason;
    const name = nameOf(reason);
    if (name === 'AbortError')
      return new RpcError(Status.CANCELLED, 'cancelled by the caller', { cause: reason });
    if (name === 'TimeoutError')
      return new RpcError(Status.DEADLINE_EXCEEDED, 'timed out', { cause: reason });
    return new RpcError(code, textOf(reason), { cause: reason });
  }
}

/** One error for all copies of this module: a program may have Lictor installed twice, or bundled. */
Object.defineProperty(RpcError, Symbol.hasInstance, {
  value(this: unknown, thing: unknown): boolean {
    // A class that extends it is asked for itself.
    if (this !== RpcError) return Function.prototype[Symbol.hasInstance].call(this, thing);
    return typeof thing === 'object' && thing !== null && BRAND in thing;
  },
});

/** Like `instanceof`, for something thrown: looking at that may itself throw. */
export function isRpcError(reason: unknown): reason is RpcError {
  try {
    return reason instanceof RpcError;
  } catch {
    return false;
  }
}

function nameOf(reason: unknown): unknown {
  try {
    return reason instanceof Error ? reason.name : undefined;
  } catch {
    return undefined;
  }
}

/** What to print of something thrown, which need not be an Error and may refuse to be printed. */
export function textOf(reason: unknown): string {
  try {
    return String(reason instanceof Error ? reason.message || reason.name : reason);
  } catch {
    return 'a value that cannot be printed';
  }
}
