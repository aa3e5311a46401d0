import type { Balancer } from 'lictor';

/** The node with the fewest calls under way: a slow one gets fewer. */
export const leastInFlight: Balancer = {
  name: 'leastInFlight',
  build: (nodes) => () => nodes.reduce((least, node) => (node.inFlight < least.inFlight ? node : least)),
};
