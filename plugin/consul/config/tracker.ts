import { isDeepStrictEqual } from 'node:util';
import type { RpcError } from '../../../rpc/error.js';
import type { Reading } from './reading.js';

/** One value that is not as it was. Its path begins behind the prefix of the ConsulConfig. */
export type ConfigChange<T = unknown> =
  | {
      readonly kind: 'set';
      readonly path: string;
      readonly value: T;
      /** What it was before; undefined when it is new. */
      readonly previous: T | undefined;
    }
  /** The key is gone, or the field is. */
  | { readonly kind: 'deleted'; readonly path: string; readonly previous: T };

/** A value that was refused; what was there before it stays in force. */
export type BadValue<T = unknown> = {
  readonly path: string;
  /** Why, without the value, which may be a secret. */
  readonly error: RpcError;
  /** The last good one, if there was one. */
  readonly kept: T | undefined;
};

/** From whole snapshots to single changes, for one reader. */
export class Tracker<T> {
  readonly #reading: Reading<T>;
  readonly #onBad: (bad: BadValue<T>) => void;
  /** What has been judged, good or bad, so that a bad value is reported once. */
  readonly #seen = new Map<string, Buffer>();
  readonly #good = new Map<string, T>();

  constructor(reading: Reading<T>, onBad: (bad: BadValue<T>) => void) {
    this.#reading = reading;
    this.#onBad = onBad;
  }

  /** The last good values, by path. */
  get values(): ReadonlyMap<string, T> {
    return this.#good;
  }

  /** What there was the last time, good or bad. */
  get paths(): readonly string[] {
    return [...this.#seen.keys()];
  }

  /** Each change is in `values` before it is yielded. */
  async *changesTo(snapshot: ReadonlyMap<string, Buffer>): AsyncGenerator<ConfigChange<T>, void, undefined> {
    for (const path of [...this.#seen.keys()]) {
      if (snapshot.has(path)) continue;
      this.#seen.delete(path);
      yield* this.#remove(path);
    }
    for (const [path, bytes] of snapshot) {
      if (this.#seen.get(path)?.equals(bytes)) continue;
      this.#seen.set(path, bytes);
      let value: T | undefined;
      try {
        value = await this.#reading(bytes, path);
      } catch (error) {
        this.#onBad({ path, error: error as RpcError, kept: this.#good.get(path) });
        continue;
      }
      if (value === undefined) {
        yield* this.#remove(path);
        continue;
      }
      const previous = this.#good.get(path);
      if (this.#good.has(path) && isDeepStrictEqual(previous, value)) continue;
      this.#good.set(path, value);
      yield { kind: 'set', path, value, previous };
    }
  }

  *#remove(path: string): Generator<ConfigChange<T>, void, undefined> {
    const previous = this.#good.get(path);
    if (previous === undefined) return;
    this.#good.delete(path);
    yield { kind: 'deleted', path, previous };
  }
}
