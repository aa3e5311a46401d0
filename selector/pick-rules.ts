import type { Ejection } from './ejection.js';

/** What decides which nodes are picked from, beside the balancer; may change while the client runs. */
export type PickRules = {
  readonly ejection: Ejection | undefined;
  /** How long a fresh node takes to its full share; 0 for at once. */
  readonly slowStartMs: number;
  /** Calls in flight at one node; it is passed over when it has that many. */
  readonly maxInFlightPerNode: number;
  /** Calls in flight at all nodes of a service. */
  readonly maxInFlight: number;
  /** Calls that are tried for each that succeeds, when most fail; undefined for all. */
  readonly throttle: number | undefined;
};

/** The balancer alone decides. */
export const balancerAlone: PickRules = {
  ejection: undefined,
  slowStartMs: 0,
  maxInFlightPerNode: Number.POSITIVE_INFINITY,
  maxInFlight: Number.POSITIVE_INFINITY,
  throttle: undefined,
};
