import { PRIORITIES, type Priority } from './priority.js';

/** A call that waits for its turn. */
export interface Waiting {
  readonly priority: Priority;
  /** What its request takes. */
  readonly bytes: number;
  readonly since: number;
  /** It has ended while it waited. */
  readonly isGone: boolean;
}

/** What less important calls may fill of the queue, so that there is room for others. */
const SHARE = [1, 0.9, 0.5] as const;

/** Calls that wait, the important ones first and in their order; bounded in count and in bytes. */
export class CallQueue<T extends Waiting> {
  readonly #maxCount: number;
  readonly #maxBytes: number;
  readonly #lanes = PRIORITIES.map(() => new Lane<T>());
  #count = 0;
  #bytes = 0;

  constructor(maxCount: number, maxBytes: number) {
    this.#maxCount = maxCount;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many would run before a new one. */
  before(priority: Priority): number {
    let count = 0;
    for (let lane = 0; lane <= priority; lane++) count += this.#lanes[lane]!.size;
    return count;
  }

  /** A call that finds none before it always has room. */
  hasRoom(priority: Priority, bytes: number): boolean {
    if (this.#count === 0) return true;
    const share = SHARE[priority];
    return this.#count + 1 <= this.#maxCount * share && this.#bytes + bytes <= this.#maxBytes * share;
  }

  push(call: T): void {
    this.#lanes[call.priority]!.push(call);
    this.#count++;
    this.#bytes += call.bytes;
  }

  /** The one whose turn it is. */
  shift(): T | undefined {
    for (const lane of this.#lanes) {
      for (let call = lane.shift(); call; call = lane.shift()) {
        // One that has ended while it waited is counted no more; see `leave`.
        if (!call.isGone) {
          this.#forget(call);
          return call;
        }
      }
    }
    return undefined;
  }

  /** A call has ended while it waited: its place and its bytes are free at once. Its `isGone` must be true by now. */
  leave(call: T): void {
    this.#lanes[call.priority]!.gone++;
    this.#forget(call);
  }

  /** Takes out what has waited since before `time`. */
  *waitingSinceBefore(time: number): Generator<T> {
    for (const lane of this.#lanes) {
      for (let call = lane.head; call && (call.isGone || call.since < time); call = lane.head) {
        lane.shift();
        if (call.isGone) continue;
        this.#forget(call);
        yield call;
      }
    }
  }

  #forget(call: T): void {
    this.#count--;
    this.#bytes -= call.bytes;
  }
}

/** First in, first out, by an index that moves on: shifting an array of thousands moves them all. */
class Lane<T extends Waiting> {
  #calls: (T | undefined)[] = [];
  #head = 0;
  /** How many of the calls held have ended. */
  gone = 0;

  get size(): number {
    return this.#calls.length - this.#head - this.gone;
  }

  get head(): T | undefined {
    return this.#calls[this.#head];
  }

  push(call: T): void {
    this.#calls.push(call);
  }

  shift(): T | undefined {
    const call = this.#calls[this.#head];
    if (!call) return undefined;
    this.#calls[this.#head++] = undefined;
    if (call.isGone) this.gone--;
    if (this.#head === this.#calls.length) {
      this.#calls = [];
      this.#head = 0;
    } else if (this.#head >= 1_024 && this.#head * 2 >= this.#calls.length) {
      this.#calls = this.#calls.slice(this.#head);
      this.#head = 0;
    }
    return call;
  }
}
