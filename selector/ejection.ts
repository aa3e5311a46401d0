import { checkLimit } from '../rpc/limit.js';

/** When a node that fails is left out, and for how long. */
export type EjectionOptions = {
  /** Failures in a row. @default 5 */
  consecutive?: number | undefined;
  /** The share of the calls of `windowMs` that fail, above 0 and up to 1. @default 0.5 */
  failureShare?: number | undefined;
  /** Calls within `windowMs` below which their share says nothing. @default 20 */
  minCalls?: number | undefined;
  /** @default 10,000 */
  windowMs?: number | undefined;
  /** How long it is left out the first time; each further time it is that much longer, give or take 20 %. @default 5,000 */
  baseMs?: number | undefined;
  /** The longest. @default 60,000 */
  maxMs?: number | undefined;
};

export type Ejection = Readonly<Required<{ [Name in keyof EjectionOptions]: number }>>;

const DEFAULTS: Ejection = {
  consecutive: 5,
  failureShare: 0.5,
  minCalls: 20,
  windowMs: 10_000,
  baseMs: 5_000,
  maxMs: 60_000,
};

const JITTER = 0.2;

/**
 * The options with their defaults.
 * @returns undefined when nodes are never left out for their failures
 * @throws RangeError or TypeError that names the option
 */
export function checkEjection(options: EjectionOptions | false | undefined): Ejection | undefined {
  if (options === false) return undefined;
  if (options !== undefined && (typeof options !== 'object' || options === null))
    throw new TypeError(`ejection: options or false, got ${String(options)}`);
  const filled: Record<keyof Ejection, number> = { ...DEFAULTS };
  for (const [name, value] of Object.entries(options ?? {})) {
    if (!Object.hasOwn(DEFAULTS, name))
      throw new RangeError(
        `ejection.${name.slice(0, 64)}: unknown, there are ${Object.keys(DEFAULTS).join(', ')}`,
      );
    if (value === undefined) continue;
    checkLimit(`ejection.${name}`, value, name === 'failureShare' ? 0 : 1);
    filled[name as keyof Ejection] = value;
  }
  if (!(filled.failureShare > 0 && filled.failureShare <= 1))
    throw new RangeError(`ejection.failureShare: above 0 and up to 1, got ${filled.failureShare}`);
  return filled;
}

/** How the calls to one node have ended lately. */
export class FailureRecord {
  #inARow = 0;
  // The window is two halves: the one that goes on, and the one before it.
  #halfEnds = 0;
  #calls = 0;
  #failures = 0;
  #callsBefore = 0;
  #failuresBefore = 0;
  #succeededAt = Number.NEGATIVE_INFINITY;

  succeeded(rules: Ejection, now: number): void {
    this.#turn(rules, now);
    this.#inARow = 0;
    this.#calls++;
    this.#succeededAt = now;
  }

  /**
   * A call's method is missing. That is no failure of a node whose other calls go well; one that answers so to all of
   * them is another service.
   */
  missed({ consecutive, windowMs }: Ejection, now: number): 'older' | 'doubtful' | 'another' {
    if (now - this.#succeededAt < windowMs) return 'older';
    return ++this.#inARow >= consecutive ? 'another' : 'doubtful';
  }

  /** Its connection stands anew, so that another service may be there now. */
  reconnected(): void {
    this.#succeededAt = Number.NEGATIVE_INFINITY;
  }

  /** Whether there are too many by now. */
  failed(rules: Ejection, now: number): boolean {
    this.#turn(rules, now);
    this.#inARow++;
    this.#calls++;
    this.#failures++;
    const calls = this.#calls + this.#callsBefore;
    const failures = this.#failures + this.#failuresBefore;
    return (
      this.#inARow >= rules.consecutive || (calls >= rules.minCalls && failures >= calls * rules.failureShare)
    );
  }

  clear(): void {
    this.#inARow = this.#calls = this.#failures = this.#callsBefore = this.#failuresBefore = 0;
  }

  #turn({ windowMs }: Ejection, now: number): void {
    if (now < this.#halfEnds) return;
    const half = windowMs / 2;
    const isNext = now < this.#halfEnds + half;
    this.#callsBefore = isNext ? this.#calls : 0;
    this.#failuresBefore = isNext ? this.#failures : 0;
    this.#calls = this.#failures = 0;
    this.#halfEnds = now + half;
  }
}

/**
 * For how long a node is left out.
 * @param times that it was, this time included
 * @param random from 0 up to 1
 */
export const ejectionMs = ({ baseMs, maxMs }: Ejection, times: number, random: number): number =>
  Math.min(baseMs * times, maxMs) * (1 - JITTER + 2 * JITTER * random);
