import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { end, ended, startProgram } from './child.js';
import type { RegistryArguments } from './registry.js';
import type { Order, Report } from './tally.js';

/** A server in a process of its own. */
export type RunningServer = { readonly name: string; readonly address: string; readonly child: ChildProcess };

/** The client in a process of its own. */
export type RunningClient = {
  order(order: Order): void;
  /** Resolves with its next report of a kind, rejects when it ends before. */
  next<K extends Report['kind']>(kind: K): Promise<Extract<Report, { kind: K }>>;
};

/** The demo's processes. Disposing ends those that are left, at once. */
export type Cluster = AsyncDisposable & {
  /** Resolves when the server is listed. */
  startServer(name: string): Promise<RunningServer>;
  startClient(callers: number, onReport: (report: Report) => void): RunningClient;
};

export function createCluster(registry: RegistryArguments, signal: AbortSignal): Cluster {
  const children: ChildProcess[] = [];
  const start = (file: string, argument: string) => {
    const child = startProgram(file, [argument, ...registry]);
    children.push(child);
    return child;
  };

  return {
    async startServer(name) {
      const child = start('./greeter.js', name);
      const [address] = await Promise.race([
        once(child, 'message', { signal }),
        ended(child, `server ${name}`, signal),
      ]);
      return { name, child, address: String(address) };
    },
    startClient(callers, onReport) {
      const child = start('./caller.js', String(callers));
      child.on('message', onReport);
      const reported = <K extends Report['kind']>(kind: K) =>
        new Promise<Extract<Report, { kind: K }>>((resolve) => {
          const isWanted = (report: Report): report is Extract<Report, { kind: K }> => report.kind === kind;
          const onMessage = (report: Report) => {
            if (!isWanted(report)) return;
            child.off('message', onMessage);
            resolve(report);
          };
          child.on('message', onMessage);
        });
      return {
        order: (order) => void child.send(order),
        next: (kind) => Promise.race([reported(kind), ended(child, 'the client', signal)]),
      };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(children.map((child) => end(child)));
    },
  };
}
