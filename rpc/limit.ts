/**
 * Checks an option that is a number.
 * @throws RangeError that names the option and shows the value received
 */
export function checkLimit(name: string, value: number | undefined, least: number): void {
  if (value === undefined || (typeof value === 'number' && value >= least)) return;
  throw new RangeError(`${name}: a number from ${least}, got ${value}`);
}

/** Node's timers go off at once for more than this (24.8 days), so that Infinity must be cut. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
