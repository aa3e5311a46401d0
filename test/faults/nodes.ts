import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Server processes of one test. */
export interface Nodes extends AsyncDisposable {
  /** Resolves with the address when the server is listening and listed. */
  start(address?: string): Promise<string>;
  /** Resolves when the process is gone. */
  kill(address: string): Promise<void>;
}

const program = fileURLToPath(new URL('./node.js', import.meta.url));

export function nodesIn(kind: 'consul' | 'local', where: string): Nodes {
  const running = new Map<string, ChildProcess>();
  const kill = async (address: string) => {
    const child = running.get(address)!;
    running.delete(address);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return {
    async start(address = '127.0.0.1:0') {
      const child = fork(program, [kind, where, address]);
      const exited = once(child, 'exit').then(([code, signal]) => {
        throw new Error(`the server ended with ${code ?? signal}`);
      });
      exited.catch(() => {});
      const [taken] = (await Promise.race([once(child, 'message'), exited])) as [string];
      running.set(taken, child);
      return taken;
    },
    kill,
    async [Symbol.asyncDispose]() {
      await Promise.all([...running.keys()].map(kill));
    },
  };
}
