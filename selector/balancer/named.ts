import type { Balancer } from '../balancer.js';
import { consistentHash } from './consistent-hash.js';
import { leastRequest } from './least-request.js';
import { maglev } from './maglev.js';
import { p2c } from './p2c.js';
import { p2cEwma } from './p2c-ewma.js';
import { random } from './random.js';
import { rendezvous } from './rendezvous.js';
import { roundRobin } from './round-robin.js';
import { weightedRandom } from './weighted-random.js';
import { weightedRoundRobin } from './weighted-round-robin.js';

const balancers = {
  random,
  roundRobin,
  weightedRoundRobin,
  weightedRandom,
  leastRequest,
  p2c,
  p2cEwma,
  consistentHash,
  maglev,
  rendezvous,
} satisfies Record<string, () => Balancer>;

export type BalancerName = keyof typeof balancers;

export const balancerNames = Object.keys(balancers) as readonly BalancerName[];

/**
 * A balancer by its name, with default options; a value is given back as it is.
 * Each call makes a new one, with a position of its own.
 * @throws RangeError that lists the known names
 */
export function balancerNamed(nameOrValue: BalancerName | Balancer): Balancer {
  if (typeof nameOrValue === 'string') {
    if (Object.hasOwn(balancers, nameOrValue)) return balancers[nameOrValue]();
  } else if (typeof nameOrValue?.build === 'function') {
    return nameOrValue;
  }
  const known = balancerNames.map((name) => `'${name}'`).join(', ');
  throw new RangeError(`balancer: ${known}, or a value with build(), got ${shown(nameOrValue)}`);
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 128));
  return typeof value === 'object' && value !== null ? 'an object without build()' : String(value);
}
