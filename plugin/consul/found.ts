import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { Node } from '../../selector/node.js';
import type { ChangeEvent } from './changes.js';
import type { Snapshot } from './snapshot.js';

/** The nodes that a watch has found, and why they may be old. */
export type Found = { readonly nodes: readonly Node[]; readonly doubt: RpcError | undefined };

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
