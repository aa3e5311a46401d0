import type { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { waitAfter } from './retry-after.js';

/** What failed, as far as it says how soon to try again. */
export type FailureKind = 'outage' | 'denied' | 'limited' | 'index';

type Pauses = { readonly baseMs: number; readonly maxMs: number };

const PAUSES: Readonly<Record<FailureKind, Pauses>> = {
  // A read is cheap, and an agent that is back is to be noticed within a second.
  outage: { baseMs: 100, maxMs: 1_000 },
  // An agent that starts may refuse for a moment; a right that was lost comes back when a person gives it.
  denied: { baseMs: 1_000, maxMs: 5_000 },
  // The agent has too much to do, and says so.
  limited: { baseMs: 1_000, maxMs: 5_000 },
  // A source whose index cannot be used would be asked in a loop.
  index: { baseMs: 2_000, maxMs: 10_000 },
};

/** The pauses between tries. Each kind of failure has its own count: an outage does not make a refusal last longer. */
export interface Backoff {
  /** How long to wait after this failure, in milliseconds. @param maxMs for one who must not wait for as long as Consul asks */
  pauseMs(kind: FailureKind, error: RpcError, maxMs?: number): number;
  /** After a success. */
  reset(): void;
}

export function createBackoff(random: () => number = Math.random): Backoff {
  const counts = new Map<FailureKind, number>();
  return {
    pauseMs(kind, error, maxMs = Number.POSITIVE_INFINITY) {
      const count = counts.get(kind) ?? 0;
      counts.set(kind, count + 1);
      const { baseMs, maxMs: most } = PAUSES[kind];
      // At most half is left to chance, so that many clients do not come back together.
      const pause = Math.min(baseMs * 2 ** count, most, maxMs) * (0.5 + random() / 2);
      return Math.max(pause, Math.min((waitAfter(error) ?? 0) * (1 + random() / 10), maxMs));
    },
    reset: () => counts.clear(),
  };
}

export function kindOf(error: RpcError): FailureKind {
  if (error.code === Status.PERMISSION_DENIED) return 'denied';
  return waitAfter(error) === undefined ? 'outage' : 'limited';
}
