import { Child } from './child.js';
import type { H2load } from './h2load.js';
import type { Kind } from './kinds.js';
import { type Memory, type Row, rounded } from './results.js';
import type { Certificate, Ran } from './stack.js';
import type { Entry } from './stacks.js';

/** What processes of a stack need. */
export type Surroundings = {
  readonly registry: string;
  /** Undefined, or why there is none. */
  readonly certificate: Certificate | string;
  readonly h2load: H2load | string;
};

/** A stack at work: a server and a client, connected. */
export type Running = Disposable & {
  readonly entry: Entry;
  readonly server: Child;
  readonly client: Child;
  readonly address: string;
  readonly group: string;
  readonly build: string;
};

let groups = 0;

/** @param build folder of the Lictor that it is made of, when it is one of Lictor's */
export async function startBoth(
  entry: Entry,
  build: string,
  { registry, certificate }: Surroundings,
): Promise<Running> {
  const [server, client] = [new Child(entry.name, 'server', build), new Child(entry.name, 'client', build)];
  const dispose = () => {
    for (const child of [client, server]) child[Symbol.dispose]();
  };
  try {
    const group = `${process.pid}-${groups++}`;
    const connect = async (tls: Certificate | undefined) => {
      const address = await server.ask({ ask: 'serve', registry, group, tls });
      await client.ask({ ask: 'open', address, registry, group, tls });
      return address;
    };
    const address = await connect(undefined);
    if (!('unary, TLS' in entry.cannot) && typeof certificate !== 'string') await connect(certificate);
    return { entry, server, client, address, group, build, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** What a stack gives for a kind of load in `ms`. */
export async function sample(
  h2load: H2load | string,
  { entry, server, client, address }: Running,
  { name, inFlight, tls, load, unit }: Kind,
  ms: number,
): Promise<Row> {
  const before = await server.ask({ ask: 'usage' });
  const ran: Partial<Ran> & Pick<Ran, 'messages' | 'ms'> =
    load === 'client'
      ? await client.ask({ ask: 'run', kind: name, inFlight, tls, ms })
      : await (h2load as H2load).run(address, ms);
  const after = await server.ask({ ask: 'usage' });
  const latency = (us: number | undefined) => (us !== undefined && unit === 'calls' ? us : null);
  return {
    stack: entry.name,
    kind: name,
    inFlight,
    callsPerSecond: (ran.messages / ran.ms) * 1_000,
    p50Us: latency(ran.p50Us),
    p99Us: latency(ran.p99Us),
    clientCpuUs: ran.cpuUs !== undefined ? ran.cpuUs / ran.messages : null,
    serverCpuUs: (after.cpuUs - before.cpuUs) / ran.messages,
  };
}

/** Connections, or streams, that are opened to see what they cost. */
const HELD = 200;

/** What one more connection, or stream, takes. */
export async function held(
  entry: Entry,
  build: string,
  { registry }: Surroundings,
  per: Memory['per'],
): Promise<Memory> {
  using server = new Child(entry.name, 'server', build, ['--expose-gc']);
  using client = new Child(entry.name, 'client', build, ['--expose-gc']);
  const group = `${process.pid}-${groups++}`;
  const address = await server.ask({ ask: 'serve', registry, group, tls: undefined });
  await client.ask({ ask: 'open', address, registry, group, tls: undefined });
  const hold = { ask: 'hold', per, address, registry, group } as const;
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
