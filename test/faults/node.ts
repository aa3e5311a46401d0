// A server's process for the fault tests: serves, tells its address, does as it is told, and waits for its end.
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CallContext, type Logger, RpcError, Server, Status, stderrLogger } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { local } from 'lictor/plugin/local';
import type { Behaviour, NodeOptions, Told } from './nodes.js';
import { Bytes, Faults, LARGE, Reads, raw } from './service.js';

const { registry, behaviour: first, journal, ...options } = JSON.parse(process.argv[2]!) as NodeOptions;
const plugins = {
  consul: (where: string) => [consul({ address: where.split(',') })],
  local: (folder: string) => [local({ folder })],
  none: () => [],
}[registry.kind](registry.where);
let behaviour: Behaviour = { workMs: 20, ...first };
let started = 0;
let aborted = 0;
let poured = 0;
const warned: string[] = [];
const logger: Logger = {
  ...stderrLogger,
  warn(message, fields) {
    warned.push(message);
    stderrLogger.warn(message, fields);
  },
};

async function work({ n }: { n: number }, { signal }: CallContext) {
  started++;
  // Before the call is answered, so that a kill loses none that has run.
  if (journal !== undefined) appendFileSync(journal, `${n}\n`);
  const { workMs = 0, blockMs = 0, fails, hangs, waits, rejects, ignoresCancel } = behaviour;
  for (const end = performance.now() + blockMs; performance.now() < end; );
  if (hangs) await new Promise(() => {});
  if (waits) await once(signal, 'abort');
  if (workMs > 0) await sleep(workMs);
  if (rejects) void Promise.reject(new Error('told to'));
  if (fails) throw new RpcError(Status.UNAVAILABLE, 'told to fail');
  if (ignoresCancel) await sleep(1_000);
  return { n };
}

const server = new Server({ drainMs: 0, handleSignals: true, logger, ...options, plugins });
server.registerService(Faults, {
  work: (message, context) => {
    context.signal.addEventListener('abort', () => aborted++);
    return work(message, context);
  },
});
server.registerService(Reads, {
  look: work,
  fetch: ({ n }) => ({ bytes: 'x'.repeat(n) }),
  async *count({ n }, { signal }) {
    for (let i = 0; i < n && !signal.aborted; i++) {
      yield { n: i };
      if (i % 100 === 0) await sleep(1);
    }
  },
  async *pour({ n }, { signal }) {
    const message = { bytes: 'x'.repeat(n) };
    for (; !signal.aborted; poured++) yield message;
  },
  async sum(requests) {
    let sum = 0;
    for await (const { n } of requests) sum += n;
    return { n: sum };
  },
  async *double(requests) {
    for await (const { n } of requests) yield { n: 2 * n };
  },
});
const large = Buffer.alloc(LARGE);
server.registerService(
  Bytes,
  { give: (request) => (request[0] === 1 ? large : request) },
  { serializations: [raw] },
);
process.on('message', (told: Told) => {
  if (told.behaviour) behaviour = told.behaviour;
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const cpuMs = process.cpuUsage().user / 1_000;
  process.send!({ started, aborted, poured, heapUsed, external, rss, cpuMs, warned });
});
process.on('disconnect', () => process.exit());
await server.serve();
process.send!(server.address);
