/** What a fresh node gets at least, of a full share. */
const LEAST = 0.1;

/**
 * Whether a pick that fell on a fresh node stands: a node that has just come takes few calls at first and its full share
 * after `slowStartMs`, rising evenly, whatever the balancer. The others are picked again.
 * @param random from 0 up to 1
 */
export function warmEnough(
  freshSince: number,
  slowStartMs: number,
  now: number,
  random: () => number,
): boolean {
  const share = Math.max((now - freshSince) / slowStartMs, LEAST);
  return share >= 1 || random() < share;
}
