/** How many calls say what is usual at first. */
const FIRST = 20;
const CALM_MS = 10_000;
const CONGESTED_MS = 300_000;
/** No single call says more than this. */
const MOST = 0.1;

/** How long the calls of one method usually take, learned while the server has no more to do than it can. */
export class UsualTime {
  #ms = 0;
  #count = 0;
  #at = 0;

  /** In milliseconds; 0 before a call has ended. */
  get ms(): number {
    return this.#ms;
  }

  /**
   * @param isCalm whether what the call took is what it takes when there is no congestion. With congestion it is learned
   * as well, in minutes: what has become slower for good is the usual time at last.
   */
  learn(tookMs: number, isCalm: boolean, now: number): void {
    this.#count++;
    const share = Math.min(MOST, (now - this.#at) / (isCalm ? CALM_MS : CONGESTED_MS));
    this.#ms += (this.#count <= FIRST ? 1 / this.#count : share) * (tookMs - this.#ms);
    this.#at = now;
  }
}
