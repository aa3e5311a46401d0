/** A handler that has not seen by then that its call is over may never do so. */
const OVERSTAY_MS = 10_000;

/** A call that has a place in a server. */
export interface Placed {
  /** Gives its place to others; harmless twice. */
  leave(): void;
}

/** Calls that are over and whose handlers go on, in the order in which they ended. */
export class Overstays {
  readonly #since = new Map<Placed, number>();

  add(call: Placed, now: number): void {
    this.#since.set(call, now);
  }

  /** Its handler has ended. */
  delete(call: Placed): void {
    if (this.#since.size > 0) this.#since.delete(call);
  }

  /** Takes their places from those that go on for more than ten seconds after their calls. */
  sweep(now: number): void {
    for (const [call, since] of this.#since) {
      if (now - since < OVERSTAY_MS) return;
      this.#since.delete(call);
      call.leave();
    }
  }
}
