import type { Node } from './node.js';

/** A node with what this client has seen of it. It stays the same object for as long as its address is listed. */
export interface LiveNode {
  /** What the registry says of it now. */
  readonly node: Node;
  /** Calls sent to it and not yet answered. */
  readonly inFlight: number;
  /** False from a connection's failure until it stands again; such a node is not picked while there are others. */
  readonly reachable: boolean;
  /**
   * How long its calls take, in milliseconds, as it was at `latencyAt`: a mean that takes every peak at once and
   * forgets it over some ten seconds. 0 until a call has ended.
   */
  readonly latencyMs: number;
  /** When `latencyMs` was measured, on the clock of `performance.now()`. */
  readonly latencyAt: number;
}
