import { setTimeout as sleep } from 'node:timers/promises';
import { type OverloadOptions, Server } from 'lictor';
import { type Kind, Work } from './service.js';

// A server in a process of its own that can do about 500 calls a second; argv: what limits it, and its settings.
const { kind, overload } = JSON.parse(process.argv[2]!) as { kind: Kind; overload: OverloadOptions | false };

const compute = (ms: number) => {
  for (const end = performance.now() + ms; performance.now() < end; );
};

const POOL = 10;
let free = POOL;
const waiting: (() => void)[] = [];
async function withPlace(work: () => Promise<unknown>): Promise<void> {
  if (free > 0) free--;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  await work();
  const next = waiting.shift();
  if (next) next();
  else free++;
}

const work: Record<Kind, () => unknown> = {
  cpu: () => compute(2),
  async 'cpu after an await'() {
    await undefined;
    compute(2);
  },
  async 'cpu and waits'() {
    compute(1);
    await sleep(5);
    compute(1);
  },
  pool: () => withPlace(() => sleep(20)),
  nothing: () => undefined,
};

const server = new Server({ address: '127.0.0.1:0', overload });
server.registerService(Work, {
  work(message) {
    const done = work[kind]();
    return done instanceof Promise ? done.then(() => message) : message;
  },
});
await server.serve();
process.on('message', () => process.send!(process.cpuUsage()));
process.on('disconnect', () => process.exit());
process.send!(server.address);
