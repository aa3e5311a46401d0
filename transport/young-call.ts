/** A client that has waited this long for an answer has not asked only to give up. */
const YOUNG_MS = 1_000;

/**
 * Whether a call that is not answered yet was only just asked for: less than a second ago, and long before its
 * deadline. Whoever gives up many of these costs the server more than himself (CVE-2023-44487).
 * @param openedAt on the clock of `performance.now()`
 */
export const isYoungCall = (openedAt: number, timeoutMs = Number.POSITIVE_INFINITY): boolean =>
  performance.now() - openedAt < Math.min(YOUNG_MS, timeoutMs / 2);
