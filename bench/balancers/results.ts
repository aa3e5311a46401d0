import type { BalancerName } from '../../selector/balancer/named.js';
import type { Cost } from './cost.js';
import type { Fairness, Moved } from './fairness.js';
import type { Outcome } from './simulation.js';

/** What a run gives, and what `--json` prints beside the machine. */
export type Results = {
  readonly seed: number;
  readonly costs: readonly Cost[];
  readonly fairness: readonly Fairness[];
  readonly moved: readonly Moved[];
  readonly scenarios: readonly Simulated[];
  /** Ten servers, all well. */
  readonly healthyTen: Simulated;
  /** The same with one that becomes ten times slower. */
  readonly slowTen: Simulated;
};

export type Simulated = {
  readonly scenario: string;
  readonly story: string;
  readonly outcomes: Readonly<Record<BalancerName, Outcome>>;
};
