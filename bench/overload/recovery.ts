/** A call as its client saw it. */
export type Call = {
  /** In milliseconds of `performance.now()`, as the others. */
  readonly sentAt: number;
  readonly endedAt: number;
  readonly error: unknown;
};

const SLICE_MS = 500;

export const tookMs = ({ sentAt, endedAt }: Call): number => endedAt - sentAt;

/** The share of calls that were not answered, or took more than `mostMs`. */
export function badShare(calls: readonly Call[], mostMs: number): number {
  const bad = calls.filter((call) => call.error !== undefined || tookMs(call) > mostMs);
  return calls.length === 0 ? 0 : bad.length / calls.length;
}

/**
 * When a server was as good again as another that has had the same calls at the same time, and never too many: machines
 * that have other things to do let some of all calls wait.
 *
 * It is so from the first half second on after which no more than a twentieth of all calls to the end, beyond twice the
 * other's share, are bad. So what is bad for a moment only, and weighs less than that in all that follows, does not count.
 * @param overMs how long the calls were sent
 * @returns milliseconds from the first call; the last half second has nothing after it and is not judged alone
 */
export function recoveredAfter(
  calls: readonly Call[],
  others: readonly Call[],
  overMs: number,
  mostMs: number,
): number {
  const since = (of: readonly Call[], ms: number) => of.filter(({ sentAt }) => sentAt - of[0]!.sentAt >= ms);
  for (let start = overMs - 2 * SLICE_MS; start >= 0; start -= SLICE_MS) {
    const most = 0.05 + 2 * badShare(since(others, start), mostMs);
    if (badShare(since(calls, start), mostMs) > most) return start + SLICE_MS;
  }
  return 0;
}
