// Whether a build is slower than another, from rounds in which both were measured in turn.

export type Verdict = 'slower' | 'same' | 'faster';

/** A difference below this counts for nothing. */
export const LEAST = 0.03;

/** What a figure of the new build is to the old build's, from one ratio a round. */
export type Compared = {
  /** The median of the ratios, less one: 0.05 is 5 % more. */
  readonly difference: number;
  /** The standard error of `difference`. */
  readonly error: number;
  /** How far two measurements of one build are apart. */
  readonly spread: number;
  readonly verdict: Verdict;
};

/**
 * Slower when it is so by more than 3 %, by more than twice the spread of the new build against itself, and by more
 * than twice its own standard error, which is larger when the machine has become busier since.
 * @param against the new build's figure to the old one's
 * @param itself the same with the new build on both sides
 */
export function compared(against: readonly number[], itself: readonly number[]): Compared {
  const difference = median(against) - 1;
  const [error, spread] = [errorOf(against), spreadOf(itself)];
  const counts = Math.abs(difference) > Math.max(LEAST, 2 * spread, 2 * error);
  return { difference, error, spread, verdict: counts ? (difference > 0 ? 'slower' : 'faster') : 'same' };
}

/** The larger of how far the median of the ratios is from 1, which alone may be small by luck, and its standard error. */
export const spreadOf = (ratios: readonly number[]): number =>
  Math.max(Math.abs(median(ratios) - 1), errorOf(ratios));

/**
 * The standard error of the median, from the median of the deviations, which a few wild rounds do not change: 1.4826
 * makes a standard deviation of it, and 1.2533 the median's error of the mean's.
 */
export function errorOf(values: readonly number[]): number {
  const middle = median(values);
  const deviation = 1.4826 * median(values.map((value) => Math.abs(value - middle)));
  return (1.2533 * deviation) / Math.sqrt(values.length);
}

/**
 * A figure of one round from its pieces: the lower quarter. What else runs on a machine only adds to a piece, so the lower
 * ones say what the work itself takes. NaN of none.
 */
export function undisturbed(pieces: readonly number[]): number {
  const sorted = [...pieces].sort((a, b) => a - b);
  return sorted.length === 0 ? Number.NaN : sorted[Math.floor((sorted.length - 1) / 4)]!;
}

/** NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[half]!;
  return (sorted[half - 1]! + sorted[half]!) / 2;
}
