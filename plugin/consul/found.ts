import { isDeepStrictEqual } from 'node:util';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { Node } from '../../selector/node.js';
import type { Resolution } from '../../selector/resolver.js';
import { type ChangeEvent, changes } from './changes.js';
import { doubtOf } from './doubt.js';
import type { Snapshot } from './snapshot.js';

/** What a watch has found, and why it may be old. */
export type Found<T = Node> = { readonly nodes: readonly T[]; readonly doubt: RpcError | undefined };

/** What Consul lists at one moment, as it came. */
export type Listing<E> = {
  readonly entries: readonly E[];
  readonly index: bigint | undefined;
  readonly knownLeader: boolean;
  readonly lastContactMs: number;
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

/** Follows a listing. `read` makes nodes of its entries, in an order that is the same for the same set. */
export function followListing<E, T>(
  ask: (how: Ask) => Promise<Listing<E>>,
  read: (entries: readonly E[]) => readonly T[],
  agent: string,
  signal: AbortSignal,
): AsyncIterable<ChangeEvent<Found<T>>> {
  let doubt: RpcError | undefined;
  return changes<Found<T>>(
    async (since, signal) => {
      const listing = await ask({ since, signal, waitMs: doubt && DOUBTFUL_WAIT_MS });
      doubt = doubtOf(listing, agent);
      return { index: listing.index, value: { nodes: read(listing.entries), doubt } };
    },
    { signal, same: (a, b) => !a.doubt === !b.doubt && isDeepStrictEqual(a.nodes, b.nodes) },
  );
}

/** What a reader is told: the nodes, or why they are not known to be right any more. */
export type Told<T> =
  | { readonly kind: 'nodes'; readonly nodes: readonly T[] }
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
    const { nodes, doubt } = event.value;
    yield { kind: 'nodes', nodes };
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
