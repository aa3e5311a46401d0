/** Calls may take this much longer than usual before fewer of them run. */
const TOLERANCE = 1.5;
/** Fewer calls than this say nothing. */
const LEAST_SAMPLES = 10;
/** Of what ran, so much stays at most when the event loop is late, whatever the calls took, */
const LATE = 0.8;
/** and so much at least, for whatever reason. */
const LEAST = 0.5;

/** What a tenth of a second was like. */
export type Window = {
  /** The most calls that ran at a time. */
  readonly peak: number;
  /** Whether times that are longer than usual are this server's doing. */
  readonly counts: boolean;
  /** By how many times what it may the event loop is late; above 1 it has too much to do. */
  readonly lateness: number;
};

/**
 * How many calls run at a time, by how much longer they take than they usually do: with more than the server can do at a
 * time they only wait for one another.
 *
 * The gradient is that of Netflix's concurrency-limits (`Gradient2Limit`: usual time over present time, tolerance 1.5, at
 * least a half, and the root of the limit added so that it grows). Times are compared with those of the same method, and
 * a limit that comes down starts at what ran and not at what was allowed.
 */
export class GradientLimit {
  readonly #min: number;
  readonly #max: number;
  #value: number;
  #ratios = 0;
  #samples = 0;
  #isCongested = false;

  /** It starts at `max`. */
  constructor(min: number, max: number) {
    this.#min = Math.min(min, max);
    this.#max = max;
    this.#value = max;
  }

  get value(): number {
    return this.#value;
  }

  /** Whether the last window has shown more than the server can do. */
  get isCongested(): boolean {
    return this.#isCongested;
  }

  /** @param usualMs of its method */
  sample(tookMs: number, usualMs: number): void {
    if (usualMs <= 0) return;
    this.#ratios += tookMs / usualMs;
    this.#samples++;
  }

  end({ peak, counts, lateness }: Window): void {
    const ratio = this.#samples >= LEAST_SAMPLES ? this.#ratios / this.#samples : 1;
    const isSlow = counts && ratio > TOLERANCE;
    const isLate = lateness > 1;
    this.#isCongested = isSlow || isLate;
    if (this.#samples >= LEAST_SAMPLES || !counts) this.#ratios = this.#samples = 0;
    if (this.#isCongested) {
      const gradient = Math.max(
        LEAST,
        Math.min(isSlow ? TOLERANCE / ratio : 1, isLate ? Math.min(LATE, 1 / lateness) : 1),
      );
      const ran = Math.min(this.#value, peak);
      this.#value = Math.max(this.#min, Math.min(this.#value, ran * gradient + Math.sqrt(ran)));
    } else {
      this.#value = Math.min(this.#max, this.#value + Math.sqrt(this.#value));
    }
  }
}
