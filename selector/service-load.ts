import type { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';

/** Longer makes it slow to notice that the service is well again. */
const WINDOW_MS = 10_000;

/** Statuses by which a service says that it cannot, or has no room. */
const OVERLOAD: ReadonlySet<Status> = new Set([
  Status.UNAVAILABLE,
  Status.RESOURCE_EXHAUSTED,
  Status.DEADLINE_EXCEEDED,
]);

/** What this client has in flight at a service, and how much of what it asked for was accepted lately. */
export class ServiceLoad {
  inFlight = 0;
  // The window is two halves: the one that goes on, and the one before it.
  #halfEnds = 0;
  #requests = 0;
  #accepts = 0;
  #requestsBefore = 0;
  #acceptsBefore = 0;

  /** A call has ended. */
  count(error: RpcError | undefined, now: number): void {
    this.#turn(now);
    this.#requests++;
    if (!error || !OVERLOAD.has(error.code)) this.#accepts++;
  }

  /**
   * Whether a call is not even to be tried: the share held back is that of the calls beyond `ratio` times those that
   * were accepted, so that a service with trouble gets about that many times what it can do, and no more.
   * ("Client-side throttling", in Google's "Site Reliability Engineering", chapter 21.)
   * @param random from 0 up to 1
   */
  holdsBack(ratio: number, now: number, random: number): boolean {
    this.#turn(now);
    const requests = this.#requests + this.#requestsBefore;
    const accepts = this.#accepts + this.#acceptsBefore;
    if (random * (requests + 1) >= requests - ratio * accepts) return false;
    // What is held back was wanted too.
    this.#requests++;
    return true;
  }

  #turn(now: number): void {
    if (now < this.#halfEnds) return;
    const half = WINDOW_MS / 2;
    const isNext = now < this.#halfEnds + half;
    this.#requestsBefore = isNext ? this.#requests : 0;
    this.#acceptsBefore = isNext ? this.#accepts : 0;
    this.#requests = this.#accepts = 0;
    this.#halfEnds = now + half;
  }
}
