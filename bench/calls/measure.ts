import { Child } from './child.js';
import type { H2load } from './h2load.js';
import { type Kind, kinds } from './kinds.js';
import {
  type Memory,
  medians,
  type Results,
  type Row,
  rounded,
  type Skipped,
  type Start,
} from './results.js';
import type { Certificate, Ran } from './stack.js';
import { type Entry, stacks } from './stacks.js';

export type Plan = {
  readonly registry: string;
  readonly rounds: number;
  readonly ms: number;
  /** Undefined, or why there is none. */
  readonly certificate: Certificate | string;
  readonly h2load: H2load | string;
  /** Whether something like `lictor h2: unary at 100` is wanted. */
  wants(text: string): boolean;
  say(text: string): void;
};

type Running = { entry: Entry; server: Child; client: Child; address: string; tlsAddress: string };

/** Connections, or streams, that are opened to see what they cost. */
const HELD = 200;

/** Stacks in turn, so that what else the machine does falls on all of them; each figure is the median of the rounds. */
export async function measure(plan: Plan): Promise<Results> {
  const skipped: Skipped[] = [];
  /** Whether a stack does a kind, with a line for the reader when it cannot. */
  const does = (stack: Entry, kind: Kind | string, missing?: string) => {
    const name = typeof kind === 'string' ? kind : kind.name;
    if (!plan.wants(`${stack.name}: ${name}${typeof kind === 'string' ? '' : ` at ${kind.inFlight}`}`))
      return false;
    const why = stack.cannot[name] ?? missing;
    if (why) skipped.push({ stack: stack.name, kind: name, why });
    return !why;
  };
  const missing = (kind: Kind) => {
    if (kind.tls && typeof plan.certificate === 'string') return plan.certificate;
    return kind.load === 'h2load' && typeof plan.h2load === 'string' ? plan.h2load : undefined;
  };
  const work = stacks.map((entry) => ({
    entry,
    kinds: kinds.filter((kind) => does(entry, kind, missing(kind))),
    start: does(entry, 'cold start'),
    memory: does(entry, 'memory'),
  }));

  const running: Running[] = [];
  try {
    for (const { entry, kinds, start } of work) {
      if (kinds.length > 0 || start) running.push(await startBoth(entry, plan));
    }
    const rows = await rounds(plan, `${kinds.length} kinds`, async () => {
      const samples: Row[] = [];
      for (const kind of kinds) {
        for (const stack of running) {
          const doing = work.find(({ entry }) => entry === stack.entry)!.kinds.includes(kind);
          if (doing) samples.push(await sample(plan, stack, kind));
        }
      }
      return samples;
    });
    const starts = await rounds(plan, 'cold starts', async () => {
      const samples: Start[] = [];
      for (const stack of running) {
        const { start } = work.find(({ entry }) => entry === stack.entry)!;
        if (start) samples.push(await coldStart(plan, stack));
      }
      return samples;
    });
    const memory: Memory[] = [];
    for (const { entry, memory: wanted } of work) {
      if (!wanted) continue;
      plan.say(`memory of ${entry.name}`);
      memory.push(await held(plan, entry, 'connection'));
      if (entry.cannot.bidi === undefined) memory.push(await held(plan, entry, 'stream'));
    }
    return { rows, starts, memory, skipped };
  } finally {
    for (const { client, server } of running) for (const child of [client, server]) child[Symbol.dispose]();
  }
}

/** The medians over the rounds. What comes first only warms the compilers. */
async function rounds<T extends object>(plan: Plan, what: string, once: () => Promise<T[]>): Promise<T[]> {
  const samples: T[][] = [];
  for (let round = 0; round <= plan.rounds; round++) {
    plan.say(round === 0 ? `warming up: ${what}` : `${what}: round ${round} of ${plan.rounds}`);
    samples.push(await once());
  }
  return samples[0]!.map((_, i) => medians(samples.slice(1).map((round) => round[i]!)));
}

async function startBoth(entry: Entry, { registry, certificate }: Plan): Promise<Running> {
  const [server, client] = [new Child(entry.name, 'server'), new Child(entry.name, 'client')];
  const address = await server.ask({ ask: 'serve', registry, tls: undefined });
  await client.ask({ ask: 'open', address, registry, tls: undefined });
  let tlsAddress = '';
  if (!('unary, TLS' in entry.cannot) && typeof certificate !== 'string') {
    tlsAddress = await server.ask({ ask: 'serve', registry, tls: certificate });
    await client.ask({ ask: 'open', address: tlsAddress, registry, tls: certificate });
  }
  return { entry, server, client, address, tlsAddress };
}

async function sample(plan: Plan, { entry, server, client, address }: Running, kind: Kind): Promise<Row> {
  const { name, inFlight, tls } = kind;
  const before = await server.ask({ ask: 'usage' });
  const ran: Partial<Ran> & Pick<Ran, 'messages' | 'ms'> =
    kind.load === 'client'
      ? await client.ask({ ask: 'run', kind: name, inFlight, tls, ms: plan.ms })
      : await (plan.h2load as H2load).run(address, plan.ms);
  const after = await server.ask({ ask: 'usage' });
  const isStream = kind.unit === 'messages';
  return {
    stack: entry.name,
    kind: name,
    inFlight,
    callsPerSecond: Math.round((ran.messages / ran.ms) * 1_000),
    p50Us: ran.p50Us !== undefined && !isStream ? Math.round(ran.p50Us) : null,
    p99Us: ran.p99Us !== undefined && !isStream ? Math.round(ran.p99Us) : null,
    clientCpuUs: ran.cpuUs !== undefined ? rounded(ran.cpuUs / ran.messages) : null,
    serverCpuUs: rounded((after.cpuUs - before.cpuUs) / ran.messages),
  };
}

async function coldStart({ registry }: Plan, { entry, address }: Running): Promise<Start> {
  const start = performance.now();
  using client = new Child(entry.name, 'client');
  const { firstCallMs } = await client.ask({ ask: 'open', address, registry, tls: undefined });
  return {
    stack: entry.name,
    coldStartMs: rounded(performance.now() - start),
    firstCallMs: rounded(firstCallMs),
  };
}

async function held({ registry }: Plan, entry: Entry, per: Memory['per']): Promise<Memory> {
  using server = new Child(entry.name, 'server', ['--expose-gc']);
  using client = new Child(entry.name, 'client', ['--expose-gc']);
  const address = await server.ask({ ask: 'serve', registry, tls: undefined });
  await client.ask({ ask: 'open', address, registry, tls: undefined });
  const hold = { ask: 'hold', per, address, registry } as const;
  await client.ask({ ...hold, count: HELD }); // What is made once, and code, is there after this.
  const before = { client: await client.ask({ ask: 'usage' }), server: await server.ask({ ask: 'usage' }) };
  await client.ask({ ...hold, count: HELD });
  const after = { client: await client.ask({ ask: 'usage' }), server: await server.ask({ ask: 'usage' }) };
  const kib = (side: 'client' | 'server', key: 'heapBytes' | 'residentBytes') =>
    rounded((after[side][key] - before[side][key]) / HELD / 1_024);
  return {
    stack: entry.name,
    per,
    clientKiB: kib('client', 'heapBytes'),
    serverKiB: kib('server', 'heapBytes'),
    clientResidentKiB: kib('client', 'residentBytes'),
    serverResidentKiB: kib('server', 'residentBytes'),
  };
}
