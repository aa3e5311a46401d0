import type { Balancer } from '../../selector/balancer.js';
import { balancerContract } from '../contract/balancer.js';

const first: Balancer = { name: 'first', build: (nodes) => () => nodes[0]! };
const always = 'always the first node, whatever its weight';

balancerContract('a custom balancer', {
  create: () => first,
  share: 'random',
  weights: 'ignored',
  except: { drained: always, spread: always, share: always, restarts: always, weights: always },
});
