const BUCKET_MS = 1_000;
const BUCKETS = 10;

export type RetryBudgetOptions = {
  /** Calls sent again, as a share of all calls of the last ten seconds. @default 0.1 */
  readonly share?: number | undefined;
  /** And so many more per second, so that a client with few calls can send them again too. @default 10 */
  readonly perSecond?: number | undefined;
};

/**
 * How many calls a client may send again, over the last ten seconds: when all of a service fails, calls that are sent
 * again must not be what keeps it down. One for all calls of a client, retries and hedges alike.
 *
 * (As finagle's RetryBudget; a share of a tenth is that of Google's "Site Reliability Engineering", chapter 21.)
 */
export class RetryBudget {
  readonly #share: number;
  readonly #perSecond: number;
  readonly #calls = new Float64Array(BUCKETS);
  readonly #again = new Float64Array(BUCKETS);
  #at = 0;
  #ends = 0;

  constructor({ share = 0.1, perSecond = 10 }: RetryBudgetOptions) {
    this.#share = share;
    this.#perSecond = perSecond;
  }

  /** A call is made. */
  count(now: number): void {
    if (now >= this.#ends) this.#turn(now);
    this.#calls[this.#at]!++;
  }

  /** Whether one may be sent again now; if so, it is counted. */
  take(now: number): boolean {
    if (now >= this.#ends) this.#turn(now);
    let calls = 0;
    let again = 0;
    for (let i = 0; i < BUCKETS; i++) {
      calls += this.#calls[i]!;
      again += this.#again[i]!;
    }
    if (again + 1 > calls * this.#share + (this.#perSecond * BUCKETS * BUCKET_MS) / 1_000) return false;
    this.#again[this.#at]!++;
    return true;
  }

  #turn(now: number): void {
    const turns = Math.min(Math.floor((now - this.#ends) / BUCKET_MS) + 1, BUCKETS);
    for (let i = 0; i < turns; i++) {
      this.#at = (this.#at + 1) % BUCKETS;
      this.#calls[this.#at] = this.#again[this.#at] = 0;
    }
    this.#ends = turns === BUCKETS ? now + BUCKET_MS : this.#ends + turns * BUCKET_MS;
  }
}
