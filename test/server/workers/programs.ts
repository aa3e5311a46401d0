import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, type ServeOptions, type ServerOptions, silentLogger } from 'lictor';
import { local } from 'lictor/plugin/local';
import { isRunning } from '../../../plugin/local/process.js';
import { type Who, Workers } from './service.js';

export type ProgramOptions = Pick<
  ServerOptions,
  'address' | 'drainMs' | 'graceMs' | 'handleSignals' | 'tls'
> &
  ServeOptions & { readonly folder: string; readonly journal: string };

type Told = { readonly address: string; readonly addresses: readonly string[] } | { readonly failed: string };

/** A program whose server has workers, seen from outside. */
export type Program = {
  readonly child: ChildProcess;
  readonly exited: Promise<number | NodeJS.Signals>;
  /** What its first process said of the start. */
  readonly told: Told;
  /** How the processes ended that were not killed, as `<number or first> <code>`, sorted. */
  ends(): readonly string[];
  /** Of all processes that it has had. */
  pids(): readonly number[];
};

/** Programs of one test that share a registry. When they are disposed of, no process is left. */
export interface Programs extends AsyncDisposable {
  readonly folder: string;
  readonly client: Client;
  start(options: Omit<ProgramOptions, 'folder' | 'journal'>, env?: NodeJS.ProcessEnv): Promise<Program>;
  /** Calls until the workers that answer are as wanted. */
  whoAre(wanted: (found: readonly Who[]) => boolean): Promise<readonly Who[]>;
}

const program = fileURLToPath(new URL('./program.js', import.meta.url));
const PATIENCE_MS = 30_000;

export function programs(): Programs {
  const folder = mkdtempSync(join(tmpdir(), 'lictor-workers-'));
  const resolver = local({ folder: join(folder, 'registry') });
  const client = new Client({ resolver, balancer: 'roundRobin', timeoutMs: 20_000, logger: silentLogger });
  const started: Program[] = [];
  return {
    folder: join(folder, 'registry'),
    client,
    async start(options, env = {}) {
      const journal = join(folder, `journal-${started.length}`);
      const all: ProgramOptions = { ...options, folder: join(folder, 'registry'), journal };
      // A group of its own, to which a signal can be sent as a terminal does.
      const child = fork(program, [JSON.stringify(all)], { detached: true, env: { ...process.env, ...env } });
      const exited = once(child, 'exit').then(
        ([code, signal]) => (code ?? signal) as number | NodeJS.Signals,
      );
      const early = exited.then((how) => ({ failed: `ended with ${how}` }));
      const told = await Promise.race([once(child, 'message').then(([message]) => message as Told), early]);
      const lines = (file: string) => readFileSync(file, 'utf8').trim().split('\n');
      const ends = () => lines(journal).sort();
      const one: Program = { child, exited, told, ends, pids: () => lines(`${journal}.pids`).map(Number) };
      started.push(one);
      return one;
    },
    async whoAre(wanted) {
      const found = new Map<number, Who>();
      for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await sleep(5)) {
        const one = await client.service(Workers).who({});
        found.set(one.pid, one);
        const alive = [...found.values()].filter(({ pid }) => isRunning({ pid }));
        if (wanted(alive)) return alive;
      }
      throw new Error(`not the workers that were wanted: ${JSON.stringify([...found.values()])}`);
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      for (const { child } of started) child.kill('SIGKILL');
      await Promise.all(started.map(({ exited }) => exited));
      const left = await goneOf(started.flatMap(({ pids }) => pids()));
      for (const pid of left) process.kill(pid, 'SIGKILL');
      rmSync(folder, { recursive: true });
      if (left.length > 0) throw new Error(`workers were left: ${left.join()}`);
    },
  };
}

/** Resolves when none of these processes runs; with those that still do after a while. */
export async function goneOf(pids: Iterable<number>): Promise<readonly number[]> {
  const running = () => [...pids].filter((pid) => isRunning({ pid }));
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await sleep(10)) {
    if (running().length === 0) return [];
  }
  return running();
}

/** The first of so many ports in a row that are free, from below those that the system gives out. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 10_000);
    const probes = Array.from({ length: count }, (_, n) => createServer().listen(first + n, '127.0.0.1'));
    const states = await Promise.allSettled(probes.map((probe) => once(probe, 'listening')));
    for (const probe of probes) probe.close();
    if (states.every(({ status }) => status === 'fulfilled')) return first;
  }
}
