import { type Balancer, roundRobin } from 'lictor';

/** In turn among the nodes of one zone, and among all others only while that zone has none. */
export const zoneFirst = (zone: string): Balancer => ({
  name: 'zoneFirst',
  // Called for every new set of nodes; a node whose connection is lost is not in it.
  build(nodes) {
    const near = nodes.filter(({ node }) => node.zone === zone);
    return roundRobin().build(near.length > 0 ? near : nodes);
  },
});
