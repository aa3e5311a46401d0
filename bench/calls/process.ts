import type { Answer, Ask } from './stack.js';
import { stacks } from './stacks.js';

// One side of one stack, in a process of its own: argv is the stack's index, the side and the registry.
const [index, side, registry = ''] = process.argv.slice(2);
const stack = stacks[Number(index)]!;
const answer = (message: Answer) => process.send!(message);
let call: () => Promise<unknown>;

process.on('message', (ask: Ask) => {
  respond(ask).catch((error) => {
    console.error(error);
    process.exit(1);
  });
});
process.on('disconnect', () => process.exit(0));
if (side === 'server') answer({ kind: 'serving', address: await stack.serve(registry) });

async function respond(ask: Ask): Promise<void> {
  switch (ask.kind) {
    case 'open':
      call = await stack.open(ask.address, registry);
      await call();
      answer({ kind: 'opened' });
      return;
    case 'run':
      answer(await run(ask.inFlight, ask.ms));
      return;
    case 'cpu':
      answer({ kind: 'cpu', cpuUs: cpuUs() });
      return;
  }
}

/** Keeps `inFlight` calls going for `ms` milliseconds. */
async function run(inFlight: number, ms: number): Promise<Answer> {
  const latenciesUs: number[] = [];
  const cpuBefore = cpuUs();
  const start = performance.now();
  const end = start + ms;
  const loop = async () => {
    for (let before = performance.now(); before < end; ) {
      await call();
      const after = performance.now();
      latenciesUs.push((after - before) * 1_000);
      before = after;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
  const took = performance.now() - start;
  return {
    kind: 'ran',
    calls: latenciesUs.length,
    ms: took,
    latenciesUs: quantiles(latenciesUs),
    cpuUs: cpuUs() - cpuBefore,
  };
}

/** A thousand quantiles are enough for the parent, and cheap to send. */
function quantiles(values: number[]): number[] {
  values.sort((a, b) => a - b);
  return Array.from({ length: 1_001 }, (_, i) => values[Math.round((i / 1_000) * (values.length - 1))]!);
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
