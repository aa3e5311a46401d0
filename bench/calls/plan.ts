import { type Kind, kinds } from './kinds.js';
import type { Skipped } from './results.js';
import type { Surroundings } from './running.js';
import type { Entry } from './stacks.js';

export type Plan = Surroundings & {
  readonly rounds: number;
  readonly ms: number;
  /** Whether something like `lictor h2: unary at 100` is wanted. */
  wants(text: string): boolean;
  say(text: string): void;
};

/** What is measured of a stack. */
export type Work = {
  readonly entry: Entry;
  readonly kinds: readonly Kind[];
  readonly start: boolean;
  readonly memory: boolean;
};

/** What is wanted of each stack, and can be done; the rest of what is wanted has its reason. */
export function planned(stacks: readonly Entry[], plan: Plan): { work: Work[]; skipped: Skipped[] } {
  const skipped: Skipped[] = [];
  const does = (stack: Entry, kind: Kind | string, missing?: string) => {
    const name = typeof kind === 'string' ? kind : kind.name;
    if (!plan.wants(`${stack.name}: ${name}${typeof kind === 'string' ? '' : ` at ${kind.inFlight}`}`))
      return false;
    const why = stack.cannot[name] ?? missing;
    if (why) skipped.push({ stack: stack.name, kind: name, why });
    return !why;
  };
  const missing = (kind: Kind) => {
    if (kind.tls && typeof plan.certificate === 'string') return plan.certificate;
    return kind.load === 'h2load' && typeof plan.h2load === 'string' ? plan.h2load : undefined;
  };
  const work = stacks.map((entry) => ({
    entry,
    kinds: kinds.filter((kind) => does(entry, kind, missing(kind))),
    start: does(entry, 'cold start'),
    memory: does(entry, 'memory'),
  }));
  return { work, skipped };
}
