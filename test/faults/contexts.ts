import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineService, type Engine, type EngineName, type Interceptor, serverStream, unary } from 'lictor';
import { pair } from '../pair.js';
import { collectGarbage, heapMiB } from './heap.js';

type N = { n: number };
const Contexts = defineService('faults.Contexts', { add: unary<N, N>(), count: serverStream<N, N>() });

/** What a store may hold: large enough that what is kept shows. */
class Store {
  readonly bytes = new Array(64).fill(0);
}

const IN_FLIGHT = 100;

/** Makes so many calls, one of ten a stream, each with stores of its own on both sides; returns those of the first and the last ones that are kept. */
export async function callWithStores(
  transport: EngineName | Engine,
  calls: number,
): Promise<WeakRef<Store>[]> {
  const storage = new AsyncLocalStorage<Store>();
  const some: WeakRef<Store>[] = [];
  const note = (store: Store, at: number) => {
    // The first call opens the connection and starts timers; of the last one something may be under way.
    if (at < 100 || at > calls - 1_000) some.push(new WeakRef(store));
    return store;
  };
  let served = 0;
  const entering: Interceptor = (call, next) => {
    storage.enterWith(note(new Store(), served++));
    return next(call);
  };
  await using setup = await pair(
    Contexts,
    {
      add: ({ n }) => ({ n: n + 1 }),
      async *count({ n }) {
        storage.enterWith(new Store());
        for (let i = 0; i < n; i++) yield { n: i };
      },
    },
    { transport, server: { interceptors: [entering] } },
  );
  const { api } = setup;
  let made = 0;
  const one = async (at: number) => {
    if (at % 10 > 0) return api.add({ n: at });
    for await (const _ of api.count({ n: 2 }));
    return undefined;
  };
  const caller = async () => {
    while (made < calls) {
      const at = made++;
      await storage.run(note(new Store(), at), () => one(at));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
  assert.ok(some.length >= 1_000, `${some.length} stores were looked at`);
  return await alive(some);
}

/** Those that are still there some time later, while client and server live. Node's own clock of Date headers keeps one for a second. */
async function alive(stores: readonly WeakRef<Store>[]): Promise<WeakRef<Store>[]> {
  for (let turn = 0; ; turn++) {
    await sleep(100);
    collectGarbage();
    const kept = stores.filter((ref) => ref.deref() !== undefined);
    if (kept.length === 0 || turn === 30) return kept;
  }
}

/** Whether the heap is as it was before so many calls. */
export async function assertHeapStays(t: TestContext, calls: number): Promise<void> {
  await callWithStores('h2', 20_000);
  const before = heapMiB();
  await callWithStores('h2', calls);
  const after = heapMiB();
  const figures = `${calls} calls: heap ${before.toFixed(2)} -> ${after.toFixed(2)} MiB`;
  t.diagnostic(figures);
  // A store has half a KiB: were those of one call of 25 kept, 100,000 calls would leave 2 MiB.
  assert.ok(after - before < 2, figures);
}
