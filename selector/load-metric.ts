import type { LiveNode } from './live-node.js';

/**
 * How loaded a node is, for balancers that compare nodes: the less the better.
 * @param weight the node's, where 1 is the mean of the set
 */
export type LoadMetric = (node: LiveNode, now: number, weight: number) => number;

/** Calls that have not been answered, per weight. */
export const inFlight: LoadMetric = (node, _, weight) => node.inFlight / weight;

/** After so long a figure counts for 1/e of what it was. */
export const LATENCY_DECAY_MS = 10_000;

/** A node that nobody has called yet is taken for this, so that it gets a call and not all of them. */
const UNKNOWN_MS = 1;

/**
 * The time that the next call is likely to take: how long calls took, times how many there would be, per weight. What is
 * known of the time fades while no call ends, so that a node that was slow is asked again.
 *
 * (Peak EWMA, from Twitter's finagle, `com.twitter.finagle.loadbalancer.PeakEwma`.)
 */
export const peakEwma: LoadMetric = ({ inFlight, latencyMs, latencyAt }, now, weight) => {
  const latency = latencyMs === 0 ? UNKNOWN_MS : latencyMs * Math.exp((latencyAt - now) / LATENCY_DECAY_MS);
  return latency * (1 + inFlight / weight);
};
