import { setTimeout as sleep } from 'node:timers/promises';
import { type Balancer, Client, type LiveNode, RpcError, roundRobin } from 'lictor';
import { Greeter } from '../helloworld/gen/helloworld.js';
import { whenAlone } from './child.js';
import { openRegistry } from './registry.js';
import { add, emptyTally, type Order, type Phase, type Report } from './tally.js';

// The demo's client: `caller.js <callers> <registry...>`. Each caller makes its next call when the last one is done.

const [callers = '1', ...registry] = process.argv.slice(2);
const tally = emptyTally();
const nodes = new Map<string, LiveNode>();
const inTurn = roundRobin();
let phase: Phase = 'before';
let stopped = false;
let victim: string | undefined; // The address of the server that was killed.

// A balancer may stand around another: this one picks as round robin does, and takes notes.
const watched: Balancer = {
  name: 'watched round robin',
  build(live) {
    noticeDeath(live);
    for (const node of live) {
      if (phase === 'killed' && !nodes.has(node.node.address)) phase = 'joined';
      nodes.set(node.node.address, node);
    }
    return inTurn.build(live);
  },
};

/** A node that may be picked no more is left out of `live`: its connection has broken. */
function noticeDeath(live: readonly LiveNode[]): void {
  const dead = victim === undefined ? undefined : nodes.get(victim);
  if (!dead || tally.underWay !== undefined || live.includes(dead)) return;
  tally.underWay = dead.inFlight;
  report({ kind: 'killed', underWay: dead.inFlight });
}

await using client = new Client({ resolver: openRegistry(registry), balancer: watched, timeoutMs: 2_000 });
const greeter = client.service(Greeter);

async function call(): Promise<void> {
  while (!stopped) {
    const answers = tally.answers[phase];
    tally.calls++;
    try {
      add(answers, (await greeter.sayHello({ msg: 'demo' })).msg);
    } catch (error) {
      add(tally.failures, RpcError.from(error).status);
      await sleep(10); // Calls that fail at once would leave no time for anything else.
    }
  }
}

const report = (message: Report) => process.send?.(message);

process.on('message', (order: Order) => {
  switch (order.kind) {
    case 'kill':
      phase = 'killed';
      victim = order.address;
      process.kill(order.pid, 'SIGKILL');
      break;
    case 'stop':
      stopped = true;
  }
});
whenAlone(() => process.exit());
// A Ctrl-C of the terminal reaches every process; it is the demo that ends this one.
process.on('SIGINT', () => {});

const progress = setInterval(() => report({ kind: 'progress', tally }), 100);
await Promise.all(Array.from({ length: Number(callers) }, call));
clearInterval(progress);
report({ kind: 'done', tally });
process.disconnect();
