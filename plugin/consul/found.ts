import { isDeepStrictEqual } from 'node:util';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { Node } from '../../selector/node.js';
import type { Resolution } from '../../selector/resolver.js';
import { type ChangeEvent, changes } from './changes.js';
import { doubtOf } from './doubt.js';
import { createSight, type HiddenCheck } from './hidden.js';
import type { Listing } from './listing.js';
import type { Snapshot } from './snapshot.js';

/** What a watch has found, and why it may be old. */
export type Found<T = Node> = Read<T> & { readonly doubt: RpcError | undefined };

/** What the entries of a listing say. */
export type Read<T> = {
  readonly nodes: readonly T[];
  /**
   * Addresses that are listed, but must not be called: Consul says that they are critical, or in maintenance.
   * @default none
   */
  readonly drained?: readonly string[];
};

/** How one listing is asked for. */
export type Ask = {
  readonly since: bigint | undefined;
  readonly signal: AbortSignal;
  /** How long the answer may be held; undefined for as long as usual. */
  readonly waitMs: number | undefined;
};

/** How long to wait for the next answer while the last one was in doubt. */
const DOUBTFUL_WAIT_MS = 1_000;

export type ListingToFollow<E, T> = {
  readonly ask: (how: Ask) => Promise<Listing<E>>;
  /** Tells entries apart, for `hidden`. */
  readonly nameOf: (entry: E) => string;
  readonly hidden: HiddenCheck;
  /** Makes nodes of the entries, in an order that is the same for the same set. */
  readonly read: (entries: readonly E[]) => Read<T>;
  /** For messages. */
  readonly agent: string;
};

/** Follows a listing until the signal aborts. */
export function followListing<E, T>(
  { ask, nameOf, hidden, read, agent }: ListingToFollow<E, T>,
  signal: AbortSignal,
): AsyncIterable<ChangeEvent<Found<T>>> {
  const see = createSight(hidden);
  let doubt: RpcError | undefined;
  let isEmpty = true;
  return changes<Found<T>>(
    async (since, signal) => {
      let listing = await ask({ since, signal, waitMs: doubt && DOUBTFUL_WAIT_MS });
      // Only the servers can say that all are gone. Without an index they are asked.
      if (listing.isStreamed && listing.entries.length === 0 && !isEmpty)
        listing = await ask({ since: undefined, signal, waitMs: undefined });
      doubt = doubtOf(listing, agent);
      const { entries, index } = listing;
      if (index !== undefined) {
        await see(entries.map(nameOf), listing.isFiltered === true, signal);
        isEmpty = entries.length === 0;
      }
      return { index, value: { ...read(entries), doubt } };
    },
    {
      signal,
      same: (a, b) =>
        !a.doubt === !b.doubt &&
        isDeepStrictEqual(a.nodes, b.nodes) &&
        isDeepStrictEqual(a.drained ?? [], b.drained ?? []),
    },
  );
}

/** What a reader is told: the nodes, or why they are not known to be right any more. */
export type Told<T> =
  | { readonly kind: 'nodes'; readonly nodes: readonly T[]; readonly drained?: readonly string[] }
  | Extract<Resolution, { kind: 'failure' }>;

/** The events as a client reads them: a list in doubt is used, and told to be stale. */
export async function* toldOf<T>(
  events: AsyncIterable<ChangeEvent<Found<T>>>,
  signal: AbortSignal,
): AsyncGenerator<Told<T>, void, undefined> {
  for await (const event of events) {
    if (event.kind === 'failure') {
      yield event;
      continue;
    }
    const { nodes, drained = [], doubt } = event.value;
    yield { kind: 'nodes', nodes, ...(drained.length === 0 ? {} : { drained }) };
    if (doubt && !signal.aborted) yield { kind: 'failure', error: doubt };
  }
}

/** A first answer that takes longer is not waited for when there is a saved list. */
const PATIENCE_MS = 1_000;

/** The events of a watch, with the saved list before them where Consul cannot be asked, and each new list saved. */
export async function* withSnapshot(
  events: AsyncIterable<ChangeEvent<Found>>,
  snapshot: Snapshot,
  agent: string,
  patienceMs = PATIENCE_MS,
): AsyncGenerator<ChangeEvent<Found>, void, undefined> {
  const iterator = events[Symbol.asyncIterator]();
  let next = iterator.next();
  if (!(await isValueWithin(next, patienceMs))) {
    const saved = await snapshot.read();
    if (saved) {
      const text = `consul at ${agent} has not answered yet; the nodes are those of ${saved.savedAt.toISOString()}, from a snapshot`;
      const doubt = new RpcError(Status.UNAVAILABLE, text, { maybeExecuted: false });
      yield { kind: 'value', value: { nodes: saved.nodes, doubt } };
    }
  }
  for (;;) {
    const { done, value: event } = await next;
    if (done) return;
    if (event.kind === 'value') snapshot.save(event.value.nodes);
    yield event;
    next = iterator.next();
  }
}

async function isValueWithin(
  first: Promise<IteratorResult<ChangeEvent<Found>, void>>,
  ms: number,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const isValue = first.then(({ value }) => value?.kind === 'value');
  try {
    return await Promise.race([isValue, late]);
  } finally {
    clearTimeout(timer);
  }
}
