import type { ListedNode } from './listed-node.js';
import type { PickRules } from './pick-rules.js';

/** Whether a node takes calls, and why, for people. */
export type Standing = { readonly eligible: boolean; readonly reason: string };

export const isOut = (reason: string): Standing => ({ eligible: false, reason });

/**
 * @param candidates nodes that may be picked
 * @param trialAt when the node's trial is due, if it is out
 */
export function standingOf(
  node: ListedNode,
  candidates: readonly ListedNode[],
  { maxInFlightPerNode, slowStartMs }: PickRules,
  trialAt: number | undefined,
  now: number,
): Standing {
  const within = (at: number) => `${Math.max(0, Math.ceil((at - now) / 100) / 10)} s`;
  if (!candidates.includes(node)) {
    if (!node.reachable) return isOut('its connection has failed, and is tried again all the time');
    return isOut(
      node.standing === 'trial'
        ? 'its calls failed; one is on trial there now'
        : `its calls failed; it gets one on trial in ${within(trialAt ?? now)}`,
    );
  }
  if (node.node.weight === 0 && candidates.some(({ node: { weight } }) => weight > 0))
    return isOut('it is drained: its weight is 0');
  if (node.inFlight >= maxInFlightPerNode)
    return isOut(`it has ${node.inFlight} calls in flight, as many as it may`);
  if (!node.reachable) return { eligible: true, reason: 'no node can be reached, so all are tried' };
  if (node.standing !== 'in')
    return { eligible: true, reason: 'its calls failed, but there is no other that can be reached' };
  if (node.freshSince !== undefined && now < node.freshSince + slowStartMs) {
    const full = within(node.freshSince + slowStartMs);
    return { eligible: true, reason: `it is fresh, and has its full share in ${full}` };
  }
  return { eligible: true, reason: 'it is well' };
}
