type Event = { readonly at: number; readonly order: number; readonly run: () => void };

/** Virtual time: what is to happen, in its order. A binary heap; of events at one moment the first put is first. */
export class EventQueue {
  readonly #heap: Event[] = [];
  #order = 0;
  now = 0;

  /** @param inMs from now, in virtual milliseconds */
  put(inMs: number, run: () => void): void {
    const event = { at: this.now + inMs, order: this.#order++, run };
    let place = this.#heap.length;
    while (place > 0) {
      const parent = (place - 1) >>> 1;
      if (!isBefore(event, this.#heap[parent]!)) break;
      this.#heap[place] = this.#heap[parent]!;
      place = parent;
    }
    this.#heap[place] = event;
  }

  /** Runs all that happens before `end`. */
  runUntil(end: number): void {
    for (;;) {
      const first = this.#heap[0];
      if (!first || first.at >= end) break;
      this.#removeFirst();
      this.now = first.at;
      first.run();
    }
    this.now = end;
  }

  #removeFirst(): void {
    const last = this.#heap.pop()!;
    const { length } = this.#heap;
    if (length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= length) break;
      if (child + 1 < length && isBefore(this.#heap[child + 1]!, this.#heap[child]!)) child++;
      if (!isBefore(this.#heap[child]!, last)) break;
      this.#heap[place] = this.#heap[child]!;
      place = child;
    }
    this.#heap[place] = last;
  }
}

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
