import type { RpcError } from '../../rpc/error.js';

/** A longer wait is not kept: a proxy that says an hour must not make a client blind for an hour. */
const MAX_WAIT_MS = 10_000;

const waits = new WeakMap<RpcError, number>();

/** Marks a failure as Consul's word that it has too much to do. @param retryAfter the header of that name */
export function limited(error: RpcError, retryAfter: unknown, now = Date.now()): RpcError {
  waits.set(error, parse(retryAfter, now));
  return error;
}

/**
 * How long to wait before a request that was refused for the load is sent again: what the answer asks for, bounded by
 * 10 s, or 0 where it does not say. Undefined for any other failure.
 */
export const waitAfter = (error: unknown): number | undefined => waits.get(error as RpcError);

/** Seconds, or a date. */
function parse(header: unknown, now: number): number {
  if (typeof header !== 'string') return 0;
  const text = header.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  return ms > 0 ? Math.min(ms, MAX_WAIT_MS) : 0;
}
