import type { RpcError } from '../../rpc/error.js';
import type { ChangeEvent } from './changes.js';

/** Makes the one watch; it ends when the signal aborts. */
export type MakeChanges<T> = (signal: AbortSignal) => AsyncIterable<ChangeEvent<T>>;

const running = new Map<string, Shared<unknown>>();

/**
 * A watch that all in this process share who ask the same of the same Consul, so that a thousand readers hold one
 * connection of the agent's two hundred. A reader gets what is known at once, then the changes; a slow one skips states.
 * @param key tells what is asked, and whom
 */
export async function* sharedChanges<T>(
  key: string,
  make: MakeChanges<T>,
  signal: AbortSignal,
): AsyncGenerator<ChangeEvent<T>, void, undefined> {
  let shared = running.get(key) as Shared<T> | undefined;
  if (!shared) {
    shared = new Shared(make, () => running.delete(key));
    running.set(key, shared as Shared<unknown>);
  }
  yield* shared.read(signal);
}

class Shared<T> {
  readonly #make: MakeChanges<T>;
  readonly #onEnd: () => void;
  readonly #stop = new AbortController();
  readonly #wake = new Set<() => void>();
  #readers = 0;
  #version = 0;
  #value: { readonly value: T; readonly version: number } | undefined;
  #failure: { readonly error: RpcError; readonly version: number } | undefined;
  #ended: { readonly reason: unknown } | undefined;

  constructor(make: MakeChanges<T>, onEnd: () => void) {
    this.#make = make;
    this.#onEnd = onEnd;
  }

  async *read(signal: AbortSignal): AsyncGenerator<ChangeEvent<T>, void, undefined> {
    if (signal.aborted) return;
    if (this.#readers++ === 0) void this.#run();
    let seen = 0;
    let wake = () => {};
    const woken = () => wake();
    this.#wake.add(woken);
    signal.addEventListener('abort', woken);
    try {
      while (!signal.aborted) {
        if (this.#ended) throw this.#ended.reason;
        const [value, failure] = [this.#value, this.#failure];
        const since = seen;
        seen = this.#version;
        // A newcomer in an outage is told both: what was known, and that it is stale.
        if (value && value.version > since) yield { kind: 'value', value: value.value };
        if (signal.aborted) return;
        if (failure && failure.version > since && failure.version > (value?.version ?? 0))
          yield { kind: 'failure', error: failure.error };
        if (seen !== this.#version || this.#ended || signal.aborted) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      this.#wake.delete(woken);
      signal.removeEventListener('abort', woken);
      if (--this.#readers === 0) this.#end(undefined);
    }
  }

  async #run(): Promise<void> {
    try {
      for await (const event of this.#make(this.#stop.signal)) {
        this.#version++;
        if (event.kind === 'value') this.#value = { value: event.value, version: this.#version };
        else this.#failure = { error: event.error, version: this.#version };
        for (const wake of this.#wake) wake();
      }
      this.#end(new Error('the watch ended by itself'));
    } catch (reason) {
      this.#end(reason);
    }
  }

  #end(reason: unknown): void {
    if (this.#ended) return;
    this.#ended = { reason };
    this.#onEnd();
    this.#stop.abort();
    for (const wake of this.#wake) wake();
  }
}
