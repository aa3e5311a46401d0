import { type Work, workOf } from './kinds.js';
import { TEXT } from './service.js';
import type { Answer, Ask, Caller, Ran, Text } from './stack.js';
import { stacks } from './stacks.js';

// One side of one stack, in a process of its own: argv is the stack's name, and the folder of the Lictor that it is made of.
const stack = await stacks.find(({ name }) => name === process.argv[2])!.load(process.argv[3]!);
const callers = { plain: undefined as Caller | undefined, tls: undefined as Caller | undefined };
const held: unknown[] = [];

process.on('message', async (ask: Ask) => {
  const answer = (message: Answer) => process.send!(message);
  await respond(ask).then(
    (value) => answer({ value }),
    (error: Error) => answer({ error: String(error?.stack ?? error) }),
  );
});
process.on('disconnect', () => process.exit(0));

async function respond(ask: Ask): Promise<unknown> {
  switch (ask.ask) {
    case 'serve':
      return stack.serve(ask);
    case 'open': {
      const caller = await stack.open(ask.address, ask);
      callers[ask.tls ? 'tls' : 'plain'] = caller;
      const start = performance.now();
      await caller.say(TEXT);
      return { firstCallMs: performance.now() - start };
    }
    case 'run':
      return run(workOf(ask.kind, callers[ask.tls ? 'tls' : 'plain']!), ask.inFlight, ask.ms);
    case 'usage':
      return usage();
    case 'hold':
      return hold(ask);
  }
}

/** Keeps `inFlight` pieces of work going for `ms` milliseconds. */
async function run(work: Work, inFlight: number, ms: number): Promise<Ran> {
  const latenciesUs: number[] = [];
  let messages = 0;
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  const end = start + ms;
  const loop = async () => {
    for (let before = performance.now(); before < end; ) {
      const done = await work();
      messages += done;
      const after = performance.now();
      latenciesUs.push((after - before) * 1_000);
      before = after;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
  const took = performance.now() - start;
  const { user, system } = process.cpuUsage(cpuBefore);
  latenciesUs.sort((a, b) => a - b);
  const quantile = (share: number) => latenciesUs[Math.round(share * (latenciesUs.length - 1))]!;
  return { messages, ms: took, cpuUs: user + system, p50Us: quantile(0.5), p99Us: quantile(0.99) };
}

/** Opens so many connections, or streams on one connection, each with a message both ways; and leaves them open. */
async function hold(ask: Ask & { ask: 'hold' }): Promise<void> {
  for (let i = 0; i < ask.count; i++) {
    if (ask.per === 'connection') {
      const caller = await stack.open(ask.address, { ...ask, tls: undefined });
      await caller.say(TEXT);
      held.push(caller);
    } else {
      const replies = callers.plain!.chat!(oneThenNothing())[Symbol.asyncIterator]();
      await replies.next();
      held.push(replies);
    }
  }
}

async function* oneThenNothing(): AsyncGenerator<Text> {
  yield { text: TEXT };
  await new Promise(() => {});
}

/** Memory without garbage, in processes started with --expose-gc. */
function usage() {
  globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { cpuUs: user + system, heapBytes: heapUsed + external, residentBytes: rss };
}
