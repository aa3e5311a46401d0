import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startConsul } from '../test/consul/agent.js';
import type { Answer, Ask } from './calls/stack.js';
import { stacks } from './calls/stacks.js';

const { values: args } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    ms: { type: 'string', default: '1000' },
  },
});
const rounds = wholeNumber('rounds');
const ms = wholeNumber('ms');
const IN_FLIGHT = [1, 100];

type Row = {
  stack: string;
  kind: 'unary';
  inFlight: number;
  callsPerSecond: number;
  p50Us: number;
  p99Us: number;
  clientCpuUs: number;
  serverCpuUs: number;
};
type Pair = { name: string; server: ChildProcess; client: ChildProcess };

say(`starting Consul and ${stacks.length} stacks, each with a server and a client process`);
await using agent = await startConsul();
const pairs: Pair[] = [];
try {
  for (const [index, { name }] of stacks.entries()) pairs.push(await start(index, name));
  const rows = await measure();
  if (args.json) console.log(JSON.stringify({ machine: machine(), rows }));
  else print(rows);
} finally {
  for (const { server, client } of pairs) for (const child of [client, server]) child.kill();
}

/** Stacks in turn, so that what else the machine does falls on all of them; each figure is the median of the rounds. */
async function measure(): Promise<Row[]> {
  const samples = new Map<string, Row[]>();
  for (let round = 0; round <= rounds; round++) {
    say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
    for (const inFlight of IN_FLIGHT) {
      for (const pair of pairs) {
        const row = await sample(pair, inFlight);
        if (round === 0) continue; // The first one only warms the compilers.
        const key = `${pair.name} ${inFlight}`;
        samples.set(key, [...(samples.get(key) ?? []), row]);
      }
    }
  }
  return [...samples.values()].map(medians);
}

async function sample({ name, server, client }: Pair, inFlight: number): Promise<Row> {
  const before = await ask(server, { kind: 'cpu' }, 'cpu');
  const ran = await ask(client, { kind: 'run', inFlight, ms }, 'ran');
  const after = await ask(server, { kind: 'cpu' }, 'cpu');
  return {
    stack: name,
    kind: 'unary',
    inFlight,
    callsPerSecond: Math.round((ran.calls / ran.ms) * 1_000),
    p50Us: Math.round(ran.latenciesUs[500]!),
    p99Us: Math.round(ran.latenciesUs[990]!),
    clientCpuUs: rounded(ran.cpuUs / ran.calls),
    serverCpuUs: rounded((after.cpuUs - before.cpuUs) / ran.calls),
  };
}

async function start(index: number, name: string): Promise<Pair> {
  const script = fileURLToPath(new URL('./calls/process.js', import.meta.url));
  const spawned = (side: string) =>
    fork(script, [String(index), side, agent.address], { stdio: ['ignore', 2, 2, 'ipc'] });
  const server = spawned('server');
  const { address } = await next(server, 'serving');
  const client = spawned('client');
  await ask(client, { kind: 'open', address }, 'opened');
  return { name, server, client };
}

async function ask<K extends Answer['kind']>(child: ChildProcess, question: Ask, kind: K) {
  const answer = next(child, kind);
  child.send(question);
  return answer;
}

async function next<K extends Answer['kind']>(child: ChildProcess, kind: K): Promise<Answer & { kind: K }> {
  const exited = new AbortController();
  const onExit = () => exited.abort(new Error('a process of the benchmark ended; see above'));
  child.once('exit', onExit);
  const [answer] = (await once(child, 'message', { signal: exited.signal })) as [Answer];
  child.off('exit', onExit);
  if (answer.kind !== kind) throw new Error(`wanted ${kind}, got ${answer.kind}`);
  return answer as Answer & { kind: K };
}

function medians(rows: Row[]): Row {
  const result = { ...rows[0]! };
  for (const key of ['callsPerSecond', 'p50Us', 'p99Us', 'clientCpuUs', 'serverCpuUs'] as const) {
    const sorted = rows.map((row) => row[key]).sort((a, b) => a - b);
    result[key] = sorted[Math.floor(sorted.length / 2)]!;
  }
  return result;
}

function print(rows: Row[]): void {
  console.table(rows.map(({ kind: _, ...row }) => row));
  for (const inFlight of IN_FLIGHT) {
    const [plain, ...others] = rows.filter((row) => row.inFlight === inFlight);
    for (const { stack, clientCpuUs, serverCpuUs } of others) {
      const [client, server] = [clientCpuUs / plain!.clientCpuUs, serverCpuUs / plain!.serverCpuUs];
      console.log(
        `${inFlight} in flight, ${stack}: ${client.toFixed(2)} x the client CPU of ${plain!.stack}, ${server.toFixed(2)} x the server's`,
      );
    }
  }
}

function machine() {
  return { cpu: cpus()[0]!.model, cores: cpus().length, node: process.version, platform: process.platform };
}

function wholeNumber(name: 'rounds' | 'ms'): number {
  const value = Number(args[name]);
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`--${name}: a whole number from 1, got ${args[name]}`);
  return value;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
