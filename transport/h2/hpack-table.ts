import { STATIC_COUNT, STATIC_NAMES, STATIC_VALUES } from './hpack-static.js';

/** RFC 7541, 4.1: what an entry costs besides its name and its value. */
const ENTRY_OVERHEAD = 32;

/** The size that a field counts in a table (RFC 7541, 4.1) and in a list (RFC 9113, 6.5.2), in bytes. */
export const fieldSize = (name: string, value: string): number => name.length + value.length + ENTRY_OVERHEAD;

/**
 * The dynamic table of one direction of a connection (RFC 7541, 2.3.2 and 4), newest entry first.
 *
 * Names and values are strings of one character a byte. Indices are those of the wire: the static table comes first,
 * so the newest entry has index 62 (2.3.3).
 */
export class DynamicTable {
  // Rings whose length is a power of two; an entry stands at its running number modulo that length.
  #names: string[] = new Array(16).fill('');
  #values: string[] = new Array(16).fill('');
  #mask = 15;
  /** Entries ever added: the running number of the next one. */
  #added = 0;
  #count = 0;
  #sizeBytes = 0;
  #maxBytes: number;
  #version = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Another number after every change, so what was derived under one version holds while it stays the same. */
  get version(): number {
    return this.#version;
  }

  get count(): number {
    return this.#count;
  }

  /** 4.1: the sum of the entries' sizes. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Whether a field of either table has this index. */
  has(index: number): boolean {
    return index > 0 && index <= STATIC_COUNT + this.#count;
  }

  /** The name at an index that the table has. */
  name(index: number): string {
    if (index <= STATIC_COUNT) return STATIC_NAMES[index]!;
    return this.#names[(this.#added + STATIC_COUNT - index) & this.#mask]!;
  }

  /** The value at an index that the table has. */
  value(index: number): string {
    if (index <= STATIC_COUNT) return STATIC_VALUES[index]!;
    return this.#values[(this.#added + STATIC_COUNT - index) & this.#mask]!;
  }

  /**
   * The dynamic index of the field; if only its name is there, the complement (`~`) of the name's index; else 0.
   * A walk: a table of the default size holds at most 128 entries, and those of an RPC connection are about ten.
   */
  find(name: string, value: string): number {
    let sameName = 0;
    for (let index = STATIC_COUNT + 1, last = STATIC_COUNT + this.#count; index <= last; index++) {
      const at = (this.#added + STATIC_COUNT - index) & this.#mask;
      if (this.#names[at] !== name) continue;
      if (this.#values[at] === value) return index;
      if (sameName === 0) sameName = ~index;
    }
    return sameName;
  }

  /** 4.4: makes room, then adds; a field that is larger than the table empties it, which is no error. */
  add(name: string, value: string): void {
    const size = fieldSize(name, value);
    this.#version++;
    this.#evictTo(this.#maxBytes - size);
    if (size > this.#maxBytes) return;
    if (this.#count > this.#mask) this.#grow();
    const at = this.#added++ & this.#mask;
    this.#names[at] = name;
    this.#values[at] = value;
    this.#count++;
    this.#sizeBytes += size;
  }

  /** 4.3: a new maximum size. */
  resize(maxBytes: number): void {
    this.#version++;
    this.#maxBytes = maxBytes;
    this.#evictTo(maxBytes);
  }

  /** Takes the oldest entries out until the rest is no larger than `bytes`, or none is left. */
  #evictTo(bytes: number): void {
    while (this.#sizeBytes > bytes && this.#count > 0) {
      const at = (this.#added - this.#count) & this.#mask;
      this.#sizeBytes -= fieldSize(this.#names[at]!, this.#values[at]!);
      this.#names[at] = '';
      this.#values[at] = '';
      this.#count--;
    }
  }

  #grow(): void {
    const names: string[] = [];
    const values: string[] = [];
    // From the oldest to the newest: running numbers start again with those of the entries.
    for (let index = STATIC_COUNT + this.#count; index > STATIC_COUNT; index--) {
      names.push(this.name(index));
      values.push(this.value(index));
    }
    this.#mask = 2 * this.#mask + 1;
    this.#names = names.concat(new Array(names.length).fill(''));
    this.#values = values.concat(new Array(values.length).fill(''));
    this.#added = this.#count;
  }
}
