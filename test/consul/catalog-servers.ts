import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ServiceCheck } from '../../plugin/consul/consul.js';

/** A server in a process of its own, listed in the catalog. */
export interface CatalogServer extends AsyncDisposable {
  readonly address: string;
  kill(signal: NodeJS.Signals): void;
}

const program = fileURLToPath(new URL('./catalog-server.js', import.meta.url));

/** Resolves when it is listed. */
export async function startCatalogServer(
  agent: string,
  check: ServiceCheck,
  address = '127.0.0.1:0',
): Promise<CatalogServer> {
  const child: ChildProcess = fork(program, [agent, address, JSON.stringify(check)]);
  const exited = once(child, 'exit');
  const ended = exited.then(([code, signal]) => {
    throw new Error(`the server ended with ${code ?? signal}`);
  });
  ended.catch(() => {});
  const [taken] = (await Promise.race([once(child, 'message'), ended])) as [string];
  return {
    address: taken,
    kill: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
