import type { LiveNode } from './live-node.js';

/** How loaded a node is, for balancers that compare nodes: the less the better. Only the order of values counts. */
export type LoadMetric = (node: LiveNode, now: number) => number;

/** Calls that have not been answered, per weight. */
export const inFlight: LoadMetric = ({ inFlight, node }) => inFlight / Math.max(node.weight, MIN_WEIGHT);

/** What a figure of `LATENCY_DECAY_MS` ago still counts for is 1/e of what it was. */
export const LATENCY_DECAY_MS = 10_000;

/** A node that nobody has called yet is taken for this, so that it gets a call and not all of them. */
const UNKNOWN_MS = 1;

const MIN_WEIGHT = 1e-9;

/**
 * The time that the calls in flight, and one more, are likely to take, per weight: how long calls took, times how many
 * there are. The measure of the time decays while no call ends, so that a node that was slow is asked again.
 *
 * (Peak EWMA, from Twitter's finagle, `com.twitter.finagle.loadbalancer.PeakEwma`.)
 */
export const peakEwma: LoadMetric = ({ inFlight, latencyMs, latencyAt, node }, now) => {
  const latency = latencyMs === 0 ? UNKNOWN_MS : latencyMs * Math.exp((latencyAt - now) / LATENCY_DECAY_MS);
  return (latency * (inFlight + 1)) / Math.max(node.weight, MIN_WEIGHT);
};
