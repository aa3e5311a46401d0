import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client, RpcError, silentLogger } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { startConsul } from '../consul/agent.js';
import { seeded } from '../seeded.js';
import { heapMiB } from './heap.js';
import { nodesIn } from './nodes.js';
import { resources } from './resources.js';
import { Reads } from './service.js';

// `npm run soak -- --minutes 30`: 500 calls a second to four servers found through Consul, with retries, and a fault at
// random every 20 s. No call may fail, and the client may hold no more at the end than after its first minute.

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    every: { type: 'string', default: '20' },
  },
});
const minutes = positive('minutes');
const everyMs = positive('every') * 1_000;
const CALLS_PER_SECOND = 500;
const SERVERS = 4;
const HEAP_MIB = 5;

function positive(name: 'minutes' | 'seed' | 'every'): number {
  const number = Number(values[name]);
  if (number > 0 && Number.isFinite(number)) return number;
  console.error(`--${name}: a number above 0, got ${values[name]}`);
  process.exit(2);
}

async function soak(): Promise<boolean> {
  const random = seeded(positive('seed'));
  await using agent = await startConsul();
  await using nodes = nodesIn('consul', agent.address, { behaviour: { workMs: 5 } });
  const servers = await Promise.all(Array.from({ length: SERVERS }, () => nodes.start()));
  const before = resources();
  const client = new Client({
    resolver: consul({ address: agent.address, logger: silentLogger }),
    logger: silentLogger,
    retry: { perTryTimeoutMs: 1_000, attempts: 4 },
  });
  const reads = client.service(Reads);
  await reads.look({ n: 0 });

  let sent = 0;
  let ended = 0;
  let slowest = 0;
  const failed = new Map<string, number>();
  const started = performance.now();
  const timer = setInterval(() => {
    for (const due = ((performance.now() - started) / 1_000) * CALLS_PER_SECOND; sent < due; sent++) {
      const at = performance.now();
      void reads.look({ n: sent }).then(
        () => {
          ended++;
          slowest = Math.max(slowest, performance.now() - at);
        },
        (reason: unknown) => {
          ended++;
          const text = RpcError.from(reason).message;
          if (!failed.has(text)) console.log(`${clock()} a call failed: ${text}`);
          failed.set(text, (failed.get(text) ?? 0) + 1);
        },
      );
    }
  }, 2);
  const clock = () => new Date(performance.now() - started).toISOString().slice(11, 19);

  const victim = () => servers[Math.floor(random() * servers.length)]!;
  const heal = (address: string) => nodes.tell(address, { workMs: 5 });
  const faults: Record<string, () => Promise<unknown>> = {
    async 'a server is killed, and started again'() {
      const address = victim();
      await nodes.kill(address);
      await sleep(2_000);
      await nodes.start({ address });
    },
    async 'a server is restarted'() {
      const address = victim();
      nodes.signal(address, 'SIGTERM');
      await nodes.ended(address);
      await nodes.start({ address });
    },
    async 'a server hangs for 6 s'() {
      const address = victim();
      nodes.signal(address, 'SIGSTOP');
      await sleep(6_000);
      nodes.signal(address, 'SIGCONT');
    },
    async 'a server fails all calls for 6 s'() {
      const address = victim();
      await nodes.tell(address, { workMs: 0, fails: true });
      await sleep(6_000);
      await heal(address);
    },
    async 'a server is slow for 6 s'() {
      const address = victim();
      await nodes.tell(address, { workMs: 300 });
      await sleep(6_000);
      await heal(address);
    },
    async 'a server blocks its event loop'() {
      const address = victim();
      await nodes.tell(address, { blockMs: 150 });
      await sleep(4_000);
      await heal(address);
    },
    async 'Consul is killed, and started again'() {
      await agent.kill('SIGKILL');
      await sleep(5_000);
      await agent.restart();
    },
    async 'Consul loses its data'() {
      await agent.restart({ wipe: true });
    },
    async 'Consul hangs for 6 s'() {
      await agent.kill('SIGSTOP');
      await sleep(6_000);
      await agent.kill('SIGCONT');
    },
  };
  const names = Object.keys(faults);

  await sleep(Math.min(60_000, minutes * 6_000));
  const heapBefore = heapMiB();
  console.log(`${clock()} ${sent} calls; heap ${heapBefore.toFixed(2)} MiB`);
  let count = 0;
  for (const end = started + minutes * 60_000; performance.now() < end; count++) {
    const next = performance.now() + everyMs;
    const name = names[Math.floor(random() * names.length)]!;
    await faults[name]!();
    await sleep(Math.max(0, next - performance.now()));
    console.log(
      `${clock()} ${name}; ${sent} calls, ${total(failed)} failed, the slowest took ${slowest.toFixed(0)} ms; heap ${heapMiB().toFixed(2)} MiB`,
    );
    slowest = 0;
  }
  clearInterval(timer);
  while (ended < sent) await sleep(10);
  const heapAfter = heapMiB();
  await client.close();
  // Pipes are those to the servers and to the agent, some of which were started again.
  await resources.are({ ...before, PipeWrap: Number.POSITIVE_INFINITY });
  const grown = heapAfter - heapBefore;
  console.log(
    `${sent} calls in ${minutes} minutes, ${count} faults: ${total(failed)} failed; heap ${heapBefore.toFixed(2)} -> ${heapAfter.toFixed(2)} MiB`,
  );
  for (const [text, times] of failed) console.log(`${times} x ${text}`);
  if (grown > HEAP_MIB) console.log(`the heap has grown by ${grown.toFixed(2)} MiB, more than ${HEAP_MIB}`);
  return failed.size === 0 && grown <= HEAP_MIB;
}

const total = (counts: ReadonlyMap<string, number>) =>
  [...counts.values()].reduce((sum, one) => sum + one, 0);

if (!(await soak())) process.exitCode = 1;
