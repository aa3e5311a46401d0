import { rendezvous } from '../../selector/balancer/rendezvous.js';
import { balancerContract } from '../contract/balancer.js';
import { hashingContract } from '../contract/hashing.js';

balancerContract('rendezvous', {
  create: (random) => rendezvous({ random }),
  share: 'random',
  weights: 'respected',
});
hashingContract('rendezvous', () => rendezvous());
