import { lazily } from '../rpc/lazily.js';

const SIZE = 4_096; // A power of two.
const MASK = SIZE - 1;
const HASHED = 12;

/**
 * Tells keys that a message repeats, as its records do, from those that are new. It remembers one key for each of 4,096
 * hashes, and compares its bytes: a peer that chooses keys of one hash makes them look new, which costs only that peer.
 */
export class DistinctKeys {
  readonly #starts = new Int32Array(SIZE);
  readonly #lengths = new Int32Array(SIZE);

  forget(): void {
    this.#lengths.fill(-1);
  }

  /** Whether the key was not seen, or was forgotten for another one. */
  isNew(bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    const hash = hashOf(bytes, start, end);
    const slot = (hash ^ (hash >>> 12)) & MASK;
    if (this.#lengths[slot] === length && isSame(bytes, this.#starts[slot]!, start, length)) return false;
    this.#lengths[slot] = length;
    this.#starts[slot] = start;
    return true;
  }
}

/** Of both ends of a long key: its middle is compared where the hashes are the same. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  const early = Math.min(end, start + HASHED);
  for (let at = start; at < early; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0;
  for (let at = Math.max(early, end - HASHED); at < end; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0;
  return hash;
}

function isSame(bytes: Uint8Array, one: number, other: number, length: number): boolean {
  for (let at = 0; at < length; at++) if (bytes[one + at] !== bytes[other + at]) return false;
  return true;
}

/** For all messages, one after the other: looking at one calls nobody else. */
export const distinctKeys = lazily(() => new DistinctKeys());
