import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { createBackoff, kindOf } from './backoff.js';

/** What a query found, and the index from which to wait for the next change. */
export interface Answer<T> {
  /** Undefined when the source gave none that can be used: counted as a failure. */
  readonly index: bigint | undefined;
  readonly value: T;
}

/** Answers at once without an index; with one, holds the answer until the source has moved past it. */
export type Query<T> = (since: bigint | undefined, signal: AbortSignal) => Promise<Answer<T>>;

export type ChangeEvent<T> =
  | { readonly kind: 'value'; readonly value: T }
  /** The source could not be asked. Told once for an outage, again when the code changes. */
  | { readonly kind: 'failure'; readonly error: RpcError };

export type ChangesOptions<T> = {
  signal: AbortSignal;
  /** Whether two values mean the same to the reader; the second is then not delivered. */
  same: (a: T, b: T) => boolean;
  clock?: Clock;
  random?: () => number;
};

/** Time, as the watch sees it. `sleep` ends early, without an error, when the signal aborts. */
export interface Clock {
  now(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Least time from one request to the next, after an answer that was a change and after one that was not. */
const CHANGED_INTERVAL_MS = 50;
const UNCHANGED_INTERVAL_MS = 250;

/** A source may lose its data while nobody waits for it; an index that has lain for longer is not used. */
const INDEX_TRUST_MS = 1_000;

/** A wait that held for longer before it failed begins another outage. */
const OUTAGE_APART_MS = 5_000;

/**
 * Turns a blocking query into a stream of changes. Ends, without an error, when the signal aborts; failures are
 * yielded, and it goes on by itself. The reader's pace is the query's pace: a slow reader skips states.
 *
 * The index is forgotten whenever the source may not know it any more (any error, a lower index, a slow reader): a
 * source that lost its data would hold an old, higher one for a whole wait and report nothing.
 */
export async function* changes<T>(
  query: Query<T>,
  { signal, same, clock = systemClock, random = Math.random }: ChangesOptions<T>,
): AsyncGenerator<ChangeEvent<T>, void, undefined> {
  let since: bigint | undefined;
  let last: { readonly value: T } | undefined;
  const backoff = createBackoff(random);
  let reported: Status | undefined;
  let answered = 0;

  while (!signal.aborted) {
    const started = clock.now();
    if (started - answered > INDEX_TRUST_MS) since = undefined;
    const waiting = since !== undefined;
    let index: bigint | undefined;
    let value: T;
    let hasNoIndex = false;
    try {
      ({ index, value } = await query(since, signal));
      if (index === undefined) {
        hasNoIndex = true;
        throw new RpcError(Status.UNAVAILABLE, 'the registry answered without an index that can be used', {
          maybeExecuted: false,
        });
      }
    } catch (reason) {
      if (signal.aborted) return;
      since = undefined;
      const error = RpcError.from(reason, Status.UNAVAILABLE);
      // The answer was held for too long, or a silent cut lost it; whether the source is gone the next read will show.
      if (waiting && error.code === Status.DEADLINE_EXCEEDED) continue;
      if (waiting && clock.now() - started > OUTAGE_APART_MS) {
        backoff.reset(); // It had been well for a while: this is another outage.
        reported = undefined;
      }
      const due = clock.now() + backoff.pauseMs(hasNoIndex ? 'index' : kindOf(error), error);
      if (error.code !== reported) {
        reported = error.code;
        yield { kind: 'failure', error };
      }
      await clock.sleep(due - clock.now(), signal);
      continue;
    }
    if (signal.aborted) return;
    answered = clock.now();
    since = since !== undefined && index < since ? undefined : index;
    // A first read that succeeds between failing waits proves little: the agent may be refusing connections.
    if (waiting) backoff.reset();
    // After a failure the value is told again even if it is the same: the reader must know that it is not stale now.
    const changed = reported !== undefined || last === undefined || !same(last.value, value);
    if (changed) {
      last = { value };
      reported = undefined;
      yield { kind: 'value', value };
    }
    await clock.sleep(
      started + (changed ? CHANGED_INTERVAL_MS : UNCHANGED_INTERVAL_MS) - clock.now(),
      signal,
    );
  }
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (ms <= 0 || signal.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done, { once: true });
    }),
};
