const BURST = 2;
const INTERVAL_MS = 250;

/**
 * Passes values on: two at once, then one each 250 ms, and of those that come meanwhile only the last. So an entry that
 * comes and goes ten times a second costs neither ten connections nor ten new balancers.
 */
export class Paced<T> {
  readonly #pass: (value: T) => void;
  #taken = 0;
  #waiting: { readonly value: T } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(pass: (value: T) => void) {
    this.#pass = pass;
  }

  put(value: T): void {
    if (this.#taken >= BURST) {
      this.#waiting = { value };
      return;
    }
    this.#taken++;
    if (!this.#timer) this.#wait();
    this.#pass(value);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting = undefined;
  }

  #wait(): void {
    this.#timer = setTimeout(() => this.#tick(), INTERVAL_MS).unref();
  }

  #tick(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (!waiting) this.#taken--;
    if (this.#taken > 0) this.#wait();
    else this.#timer = undefined;
    if (waiting) this.#pass(waiting.value);
  }
}
