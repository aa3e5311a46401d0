import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ServerOptions } from 'lictor';

/** What a server's handlers do with a call. */
export type Behaviour = {
  /** How long it waits. @default 20, long enough that a kill finds calls in flight */
  readonly workMs?: number;
  /** How long it keeps the event loop to itself. @default 0 */
  readonly blockMs?: number;
  /** Answers UNAVAILABLE. */
  readonly fails?: boolean;
  /** Never answers. */
  readonly hangs?: boolean;
  /** Ends only when it is cancelled. */
  readonly waits?: boolean;
  /** Leaves a rejection that nobody handles. */
  readonly rejects?: boolean;
  /** Takes another second, whatever its signal says. */
  readonly ignoresCancel?: boolean;
};

export type Registry = { readonly kind: 'consul' | 'local' | 'none'; readonly where: string };

export type NodeOptions = Pick<ServerOptions, 'address' | 'drainMs' | 'graceMs' | 'overload' | 'weight'> & {
  readonly registry: Registry;
  readonly behaviour?: Behaviour | undefined;
  /** A file for the number of each call that is begun. */
  readonly journal?: string | undefined;
};

export type Told = { readonly behaviour?: Behaviour | undefined };

/** What a server says of itself when it is asked. */
export type Account = {
  readonly started: number;
  readonly aborted: number;
  /** Messages of `pour` that its streams have taken. */
  readonly poured: number;
  readonly heapUsed: number;
  /** Buffers. */
  readonly external: number;
  readonly rss: number;
  readonly cpuMs: number;
  readonly warned: readonly string[];
};

/** Server processes of one test. When they are disposed of, none has ended by itself with an error. */
export interface Nodes extends AsyncDisposable {
  /** Resolves with the address when the server is listening and listed. */
  start(options?: Omit<NodeOptions, 'registry'>): Promise<string>;
  /** Changes what its handlers do, and tells what they have done. */
  tell(address: string, behaviour?: Behaviour): Promise<Account>;
  signal(address: string, signal: NodeJS.Signals): void;
  /** Resolves with its exit code, or the signal, when the process is gone. */
  ended(address: string): Promise<number | NodeJS.Signals>;
  /** Ends it without a word; resolves when the process is gone. */
  kill(address: string): Promise<void>;
  pid(address: string): number;
}

const program = fileURLToPath(new URL('./node.js', import.meta.url));

export function nodesIn(
  kind: Registry['kind'],
  where = '',
  common: Omit<NodeOptions, 'registry'> = {},
): Nodes {
  type Running = { readonly child: ChildProcess; readonly exited: Promise<number | NodeJS.Signals> };
  const running = new Map<string, Running>();
  const ends: (number | NodeJS.Signals)[] = [];
  const of = (address: string) => {
    const node = running.get(address);
    if (!node) throw new Error(`no server was started at ${address}`);
    return node;
  };
  const kill = async (address: string) => {
    const { child, exited } = of(address);
    child.kill('SIGKILL');
    await exited;
  };
  return {
    async start(options = {}) {
      const all: NodeOptions = { address: '127.0.0.1:0', ...common, ...options, registry: { kind, where } };
      const child = fork(program, [JSON.stringify(all)], {
        execArgv: ['--enable-source-maps', '--expose-gc', '--unhandled-rejections=strict'],
      });
      const exited = once(child, 'exit').then(
        ([code, signal]) => (code ?? signal) as number | NodeJS.Signals,
      );
      void exited.then((how) => ends.push(how));
      const early = exited.then((how) => {
        throw new Error(`the server ended with ${how}`);
      });
      early.catch(() => {});
      const [taken] = (await Promise.race([once(child, 'message'), early])) as [string];
      running.set(taken, { child, exited });
      return taken;
    },
    async tell(address, behaviour) {
      const { child, exited } = of(address);
      child.send({ behaviour } satisfies Told);
      const gone = exited.then((how) => {
        throw new Error(`the server at ${address} ended with ${how} when it was asked`);
      });
      const [account] = (await Promise.race([once(child, 'message'), gone])) as [Account];
      return account;
    },
    signal: (address, signal) => void of(address).child.kill(signal),
    ended: (address) => of(address).exited,
    kill,
    pid: (address) => of(address).child.pid!,
    async [Symbol.asyncDispose]() {
      await Promise.all([...running.keys()].map(kill));
      // F60: they run with --unhandled-rejections=strict, so that one would end them.
      assert.deepEqual(
        ends.filter((how) => typeof how === 'number' && how > 0),
        [],
      );
    },
  };
}
