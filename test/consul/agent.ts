import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { consulBinary } from '../../scripts/consul.js';

const START_TIMEOUT_MS = 30_000;
const START_ATTEMPTS = 5;

export type AgentOptions = {
  /** More configuration, in HCL: `acl { enabled = true }`. */
  config?: string;
  /** Sent with the harness's own requests, where ACLs are on. */
  token?: string;
  /** Makes it one of several servers: its own ports, and the `serf` port of each. @default a server by itself */
  cluster?: { ports: Ports; join: readonly number[] };
};

/** A Consul server of the test's own on 127.0.0.1, with ports, data and node name that nobody else has. */
export interface ConsulAgent extends AsyncDisposable {
  /** `127.0.0.1:<http port>`; stays the same over restarts. */
  readonly address: string;
  /** `http://127.0.0.1:<http port>` */
  readonly url: string;
  readonly pid: number;
  /** A request to the agent; throws for an answer that is not 2xx, unless it is 404. */
  request(method: string, path: string, body?: string): Promise<unknown>;
  put(key: string, value: string | Uint8Array): Promise<void>;
  /** The value under a key, undefined when there is none. */
  get(key: string): Promise<string | undefined>;
  delete(key: string): Promise<void>;
  /** Sends a signal; after SIGKILL, SIGTERM and SIGINT it resolves when the process is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts the agent again on the same ports (killing it first if need be), with its data or without. */
  restart(options?: { wipe?: boolean }): Promise<void>;
  stop(): Promise<void>;
}

export type Ports = { http: number; server: number; serf: number };
type Running = { child: ChildProcess; exited: Promise<unknown> };

/** Starts an agent and resolves when it has elected itself leader and takes writes. */
export async function startConsul(options: AgentOptions = {}): Promise<ConsulAgent> {
  const binary = await consulBinary();
  const folder = mkdtempSync(join(tmpdir(), 'lictor-consul-'));
  const name = `lictor-test-${randomBytes(6).toString('hex')}`;
  const data = join(folder, 'data');
  const cleaner = cleanAtExit(() => {
    running?.child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  let running: Running | undefined;
  let ports: Ports;

  const request = async (method: string, path: string, body?: string | Uint8Array): Promise<unknown> => {
    const headers = options.token ? { 'x-consul-token': options.token } : {};
    const response = await fetch(`http://127.0.0.1:${ports.http}/v1${path}`, {
      method,
      headers,
      signal: AbortSignal.timeout(10_000),
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };

  const launch = async (): Promise<void> => {
    const log = openSync(join(folder, 'log'), 'a');
    const child = spawn(binary, arguments_(name, data, ports, options), {
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    child.unref();
    running = { child, exited: once(child, 'exit') };
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!(await isReady(request, name))) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`Consul ended: ${tail(folder)}`);
      if (performance.now() > deadline)
        throw new Error(`Consul not ready in ${START_TIMEOUT_MS} ms: ${tail(folder)}`);
      await sleep(25);
    }
  };

  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (!running) return;
    running.child.kill(signal);
    if (signal !== 'SIGKILL' && signal !== 'SIGTERM' && signal !== 'SIGINT') return;
    running.child.ref();
    await running.exited;
    running = undefined;
  };

  const stop = async (): Promise<void> => {
    await kill('SIGKILL');
    giveBack(ports);
    cleaner.done();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };

  for (let attempt = 1; ; attempt++) {
    ports = options.cluster?.ports ?? (await freePorts());
    try {
      await launch();
      break;
    } catch (error) {
      // Another process may have taken a port since it was found free.
      await kill('SIGKILL');
      if (attempt < START_ATTEMPTS && /address already in use|Consul ended/.test(String(error))) continue;
      await stop();
      throw error;
    }
  }

  return {
    address: `127.0.0.1:${ports.http}`,
    url: `http://127.0.0.1:${ports.http}`,
    get pid() {
      return running?.child.pid ?? 0;
    },
    request,
    put: async (key, value) => void (await request('PUT', `/kv/${encodeKey(key)}`, value as string)),
    get: async (key) => {
      const found = (await request('GET', `/kv/${encodeKey(key)}`)) as { Value: string | null }[] | undefined;
      return found && Buffer.from(found[0]!.Value ?? '', 'base64').toString();
    },
    delete: async (key) => void (await request('DELETE', `/kv/${encodeKey(key)}`)),
    kill,
    restart: async ({ wipe = false } = {}) => {
      await kill('SIGKILL');
      if (wipe) rmSync(data, { recursive: true, force: true });
      await launch();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

const encodeKey = (key: string) => key.split('/').map(encodeURIComponent).join('/');

const arguments_ = (name: string, data: string, ports: Ports, { config = '', cluster }: AgentOptions) => [
  'agent',
  '-server',
  `-bootstrap-expect=${cluster?.join.length ?? 1}`,
  ...(cluster?.join ?? []).map((port) => `-retry-join=127.0.0.1:${port}`),
  '-disable-host-node-id',
  `-node=${name}`,
  `-data-dir=${data}`,
  '-bind=127.0.0.1',
  '-client=127.0.0.1',
  '-log-level=warn',
  '-hcl',
  `ports { dns = -1 grpc = -1 https = -1 serf_wan = -1 http = ${ports.http} server = ${ports.server} serf_lan = ${ports.serf} }
   performance { raft_multiplier = 1 }
   session_ttl_min = "1s"
   leave_on_terminate = false
   disable_update_check = true
   retry_interval = "1s"
   ${config}`,
];

/** Whether the agent on our port is ours, and its leader has listed it, so that sessions can be made. */
async function isReady(
  request: (method: string, path: string) => Promise<unknown>,
  name: string,
): Promise<boolean> {
  try {
    const self = (await request('GET', '/agent/self')) as { Config: { NodeName: string } };
    if (self.Config.NodeName !== name)
      throw new Error(`another Consul (${self.Config.NodeName}) is on the port`);
    const nodes = (await request('GET', '/catalog/nodes')) as { Node: string }[];
    return nodes.some((node) => node.Node === name);
  } catch (error) {
    if (/another Consul/.test(String(error))) throw error;
    return false;
  }
}

/**
 * Ports of this process alone, so that nobody takes those of an agent while it is down: by the number of the process,
 * below the range that the system gives to outgoing connections.
 */
const BLOCK = 60;
const FIRST = 12_000 + (process.pid % 333) * BLOCK;
const inUse = new Set<number>();
let nextPort = 0;

async function freePort(): Promise<number> {
  for (let tried = 0; tried < BLOCK; tried++) {
    const port = FIRST + (nextPort++ % BLOCK);
    if (inUse.has(port) || !(await isFree(port))) continue;
    inUse.add(port);
    return port;
  }
  throw new Error(`no port is free from ${FIRST} to ${FIRST + BLOCK - 1}`);
}

export const freePorts = async (): Promise<Ports> => ({
  http: await freePort(),
  server: await freePort(),
  serf: await freePort(),
});

const giveBack = (ports: Ports | undefined) => {
  for (const port of Object.values(ports ?? {})) inUse.delete(port);
};

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

/** A port of 127.0.0.1 on which nobody listens. */
export async function closedPort(): Promise<number> {
  return freePort();
}

const tail = (folder: string) => readFileSync(join(folder, 'log'), 'utf8').slice(-2_000);

/** Cleans up when the process ends without having called `stop`, be it by a signal of the test runner. */
function cleanAtExit(clean: () => void): { done(): void } {
  const onSignal = (signal: NodeJS.Signals) => {
    clean();
    done();
    process.kill(process.pid, signal);
  };
  const done = () => {
    process.off('exit', clean);
    process.off('SIGTERM', onSignal);
    process.off('SIGINT', onSignal);
  };
  process.on('exit', clean);
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return { done };
}
