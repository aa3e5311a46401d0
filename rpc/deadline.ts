import { RpcError } from './error.js';
import { Status } from './status.js';

/** A moment on the clock of `performance.now()`, in milliseconds: steps of the wall clock do not move it. */
export type Deadline = number;

/** Longer time-outs are cut to this: 24 hours. */
export const MAX_TIMEOUT_MS = 86_400_000;

/**
 * The deadline of a call that may take `timeoutMs` from now; Infinity means no deadline.
 * @throws RangeError for what is not a number of milliseconds from 0
 */
export function deadlineIn(timeoutMs: number, now = performance.now()): Deadline | undefined {
  if (timeoutMs === Number.POSITIVE_INFINITY) return undefined;
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0))
    throw new RangeError(`timeoutMs: milliseconds from 0, or Infinity, got ${timeoutMs}`);
  return now + Math.min(timeoutMs, MAX_TIMEOUT_MS);
}

export const remainingMs = (deadline: Deadline | undefined): number =>
  deadline === undefined ? Number.POSITIVE_INFINITY : deadline - performance.now();

const UNITS: Readonly<Record<string, number>> = { n: 1e-6, u: 1e-3, m: 1, S: 1_000, M: 60_000, H: 3_600_000 };
const TIMEOUT = /^(\d{1,8})([numSMH])$/;

/** `grpc-timeout` as milliseconds, cut to 24 hours; undefined for what the gRPC specification does not allow. */
export function parseTimeout(header: string): number | undefined {
  const match = TIMEOUT.exec(header);
  return match ? Math.min(Number(match[1]) * UNITS[match[2]!]!, MAX_TIMEOUT_MS) : undefined;
}

/** Milliseconds as `grpc-timeout`: at most eight digits, rounded up, so that the server never gives up first. */
export function formatTimeout(ms: number): string {
  const left = Math.max(0, Math.min(ms, MAX_TIMEOUT_MS));
  return left < 99_999 ? `${Math.ceil(left * 1_000)}u` : `${Math.ceil(left)}m`;
}

export const deadlineExceeded = (what: string, maybeExecuted = true): RpcError =>
  new RpcError(Status.DEADLINE_EXCEEDED, what, { maybeExecuted });
