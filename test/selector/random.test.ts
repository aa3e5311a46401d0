import { random } from '../../selector/balancer/random.js';
import { balancerContract } from '../contract/balancer.js';

balancerContract('random', {
  create: (source) => random({ random: source }),
  share: 'random',
  weights: 'ignored',
});
