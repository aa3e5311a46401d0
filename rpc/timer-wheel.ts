import { outsideCalls } from './async-context.js';
import type { Deadline } from './deadline.js';

const TICK_MS = 5;
const SLOTS = 1_024; // One turn is 5.12 s; what is due later stays in its slot for more turns.

/** Something with a deadline. It is its own list entry, so that a call allocates nothing to have a time-out. */
export interface Timed {
  readonly deadline: Deadline | undefined;
  /** Must not throw. */
  onDeadline(): void;
  /** The wheel's own links: leave them undefined. */
  wheelPrevious: Timed | undefined;
  wheelNext: Timed | undefined;
  wheelSlot: number | undefined;
}

/**
 * One timer for any number of deadlines: adding and removing cost a few pointer writes.
 * A deadline fires within about 5 ms after it is due, never before.
 * (Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987, scheme 6.)
 */
export class TimerWheel {
  readonly #slots: (Timed | undefined)[] = new Array(SLOTS).fill(undefined);
  #count = 0;
  #tick = 0; // Ticks up to and including this one have been looked at.
  #timer: NodeJS.Timeout | undefined;
  #timerTick = Number.POSITIVE_INFINITY; // When #timer goes off.
  readonly #now: () => number;

  /** @param now the clock of the deadlines, in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get size(): number {
    return this.#count;
  }

  add(entry: Timed): void {
    if (entry.deadline === undefined || entry.wheelSlot !== undefined) return;
    if (this.#count++ === 0) {
      this.#tick = Math.floor(this.#now() / TICK_MS);
      this.#timer?.ref();
    }
    const tick = Math.max(Math.ceil(entry.deadline / TICK_MS), this.#tick + 1);
    const slot = tick % SLOTS;
    const head = this.#slots[slot];
    entry.wheelSlot = slot;
    entry.wheelNext = head;
    if (head) head.wheelPrevious = entry;
    this.#slots[slot] = entry;
    if (tick < this.#timerTick) this.#arm(tick);
  }

  remove(entry: Timed): void {
    const slot = entry.wheelSlot;
    if (slot === undefined) return;
    if (entry.wheelPrevious) entry.wheelPrevious.wheelNext = entry.wheelNext;
    else this.#slots[slot] = entry.wheelNext;
    if (entry.wheelNext) entry.wheelNext.wheelPrevious = entry.wheelPrevious;
    entry.wheelPrevious = entry.wheelNext = entry.wheelSlot = undefined;
    // The timer stays: calls that follow one another would set and clear one each. It only stops holding the process.
    if (--this.#count === 0) this.#timer?.unref();
  }

  readonly #turn = () => {
    this.#timer = undefined;
    this.#timerTick = Number.POSITIVE_INFINITY;
    const now = this.#now();
    const last = Math.floor(now / TICK_MS);
    // After a long pause of the process one whole turn sees every slot.
    const from = Math.max(this.#tick + 1, last - SLOTS + 1);
    this.#tick = last;
    const due: Timed[] = [];
    for (let tick = from; tick <= last; tick++) {
      for (let entry = this.#slots[tick % SLOTS]; entry; entry = entry.wheelNext) {
        if (entry.deadline! <= now) due.push(entry);
      }
    }
    for (const entry of due) {
      if (entry.wheelSlot === undefined) continue; // Removed by one that was due before it.
      this.remove(entry);
      entry.onDeadline();
    }
    if (this.#count > 0) this.#armForNextEntry();
  };

  #armForNextEntry(): void {
    let tick = this.#tick + 1;
    while (tick < this.#tick + SLOTS && !this.#slots[tick % SLOTS]) tick++;
    if (tick < this.#timerTick) this.#arm(tick);
  }

  #arm(tick: number): void {
    clearTimeout(this.#timer);
    this.#timerTick = tick;
    const ms = Math.max(1, Math.ceil(tick * TICK_MS - this.#now()));
    this.#timer = outsideCalls(() => setTimeout(this.#turn, ms));
  }
}

/** The process's wheel. */
export const wheel = new TimerWheel();
