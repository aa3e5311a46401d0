import type { Node } from './node.js';
import type { WatchState } from './shared-watch.js';

/** What a client knows of a service's nodes, for a person who wonders where the calls go. */
export type Explanation = {
  readonly service: string;
  /** `pending` before the service's first call. */
  readonly state: WatchState;
  readonly nodes: readonly ExplainedNode[];
};

export type ExplainedNode = {
  readonly node: Node;
  /** Whether the balancer may pick it for the call. */
  readonly eligible: boolean;
  /** A sentence: `it is drained: its weight is 0`. */
  readonly reason: string;
  readonly inFlight: number;
  /** As of `LiveNode.latencyMs`. */
  readonly latencyMs: number;
};
