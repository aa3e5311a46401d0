import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type Resolver, silentLogger } from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { heapMiB } from './heap.js';
import { nodesIn } from './nodes.js';
import { resources } from './resources.js';
import { Faults } from './service.js';

const MOST_GROWN_MIB = 5;
const AT_ONCE = 20;
/** What was closed is let go by what still runs of it, such as promises, a little later. */
const SETTLE_MS = 1_000;

/**
 * Makes so many clients, each of which finds a server, calls it and is closed.
 * @returns figures for people
 * @throws AssertionError when something of them is left
 */
export async function clientsComeAndGo(count: number): Promise<string> {
  await using nodes = nodesIn('none', '', { behaviour: { workMs: 0 } });
  const address = await nodes.start();
  const resolver = counted(fixed([address]));
  const one = async (n: number) => {
    await using client = new Client({ resolver, logger: silentLogger });
    assert.deepEqual(await client.service(Faults).work({ n }), { n });
  };
  const many = async (most: number) => {
    let made = 0;
    const maker = async () => {
      while (made < most) await one(made++);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, maker));
  };
  await many(Math.min(count, 500));
  const before = resources();
  const [heapBefore, { heapUsed }] = [heapMiB(), await nodes.tell(address)];
  await many(count);
  await resources.are(before);
  await sleep(SETTLE_MS);
  const grown = heapMiB() - heapBefore;
  const grownAtServer = ((await nodes.tell(address)).heapUsed - heapUsed) / 2 ** 20;
  assert.equal(resolver.open, 0, 'watches were left');
  assert.ok(grown < MOST_GROWN_MIB, `the heap has grown by ${grown} MiB`);
  assert.ok(grownAtServer < MOST_GROWN_MIB, `the heap of the server has grown by ${grownAtServer} MiB`);
  return `${count} clients; the heap has grown by ${grown.toFixed(2)} MiB, that of their server by ${grownAtServer.toFixed(2)} MiB`;
}

/**
 * One client that looks up so many services, each once, and is closed.
 * @returns figures for people
 * @throws AssertionError when something of them is left
 */
export async function servicesLookedUp(count: number): Promise<string> {
  await using nodes = nodesIn('none', '', { behaviour: { workMs: 0 } });
  const address = await nodes.start();
  const resolver = counted(fixed([address]));
  const lookUp = async (most: number): Promise<{ heldMiB: number; watches: number }> => {
    const heapBefore = heapMiB();
    await using client = new Client({ resolver, logger: silentLogger });
    for (let n = 0; n < most; n += AT_ONCE) {
      const calls = Array.from({ length: AT_ONCE }, (_, i) => client.call(`/faults.Service${n + i}/Any`, {}));
      // None of them is there; that it could be asked is what counts.
      for (const { reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[])
        assert.match(String(reason), /UNIMPLEMENTED/);
    }
    return { heldMiB: heapMiB() - heapBefore, watches: resolver.open };
  };
  // Once before: code that is compiled for so many stays, and is no service's.
  await lookUp(count);
  await sleep(SETTLE_MS);
  const before = resources();
  const heapBefore = heapMiB();
  const { heldMiB, watches } = await lookUp(count);
  await resources.are(before);
  await sleep(SETTLE_MS);
  const grown = heapMiB() - heapBefore;
  assert.equal(resolver.open, 0, 'watches were left');
  assert.ok(grown < MOST_GROWN_MIB, `the heap has grown by ${grown} MiB`);
  return `${count} services; ${watches} watches and ${heldMiB.toFixed(1)} MiB were held while the client was open, ${grown.toFixed(2)} MiB after`;
}

function counted(resolver: Resolver): Resolver & { readonly open: number } {
  let open = 0;
  return {
    describe: (service) => resolver.describe(service),
    get open() {
      return open;
    },
    async *watch(service, signal) {
      open++;
      try {
        yield* resolver.watch(service, signal);
      } finally {
        open--;
      }
    },
  };
}
