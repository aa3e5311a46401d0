import type { GrpcStream } from './stream.js';

const MIN_SLOTS = 16;
const MAX_SLOTS = 4_096;

/**
 * The open streams of a connection by their number. Numbers come in order and streams are short, so that a number's
 * low bits are its place; the few that find theirs taken go into a Map.
 *
 * Not a Map for all: as entries come and go, V8 makes it a new table again and again, and each old one keeps its
 * entries and the next table alive. Once one of these has been promoted, all ended streams outlive every scavenge.
 */
export class StreamTable {
  #slots: (GrpcStream | undefined)[] = new Array(MIN_SLOTS).fill(undefined);
  readonly #others = new Map<number, GrpcStream>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): GrpcStream | undefined {
    const stream = this.#slots[(id >>> 1) & (this.#slots.length - 1)];
    if (stream !== undefined && stream.id === id) return stream;
    return this.#others.size === 0 ? undefined : this.#others.get(id);
  }

  /** A number is used once. */
  add(stream: GrpcStream): void {
    this.#size++;
    if (this.#size * 2 > this.#slots.length && this.#slots.length < MAX_SLOTS) this.#grow();
    this.#place(stream);
  }

  #place(stream: GrpcStream): void {
    const slot = (stream.id >>> 1) & (this.#slots.length - 1);
    if (this.#slots[slot] === undefined) this.#slots[slot] = stream;
    else this.#others.set(stream.id, stream);
  }

  delete(id: number): boolean {
    const slot = (id >>> 1) & (this.#slots.length - 1);
    if (this.#slots[slot]?.id === id) this.#slots[slot] = undefined;
    else if (this.#others.size === 0 || !this.#others.delete(id)) return false;
    this.#size--;
    return true;
  }

  /** All of them, as they are now. */
  values(): GrpcStream[] {
    return [...this.#slots.filter((stream) => stream !== undefined), ...this.#others.values()];
  }

  clear(): void {
    this.#slots = new Array(MIN_SLOTS).fill(undefined);
    this.#others.clear();
    this.#size = 0;
  }

  #grow(): void {
    const streams = this.values();
    this.#slots = new Array(this.#slots.length * 2).fill(undefined);
    this.#others.clear();
    for (const stream of streams) this.#place(stream);
  }
}
