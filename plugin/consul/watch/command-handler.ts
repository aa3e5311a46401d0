import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { formatJson } from './json.js';
import { refused, show } from './params.js';
import type { WatchHandler } from './plan.js';

export type CommandOptions = {
  /** Whether a shell (SHELL, else /bin/sh) reads the words, joined with spaces. @default false */
  readonly shell?: boolean | undefined;
};

/**
 * Runs a command for every result, one after the other: JSON on its stdin, CONSUL_INDEX in its environment, our stdout
 * and stderr. It fails when the command does, and ends it with SIGTERM when the plan is stopped.
 * @throws RpcError INVALID_ARGUMENT when there is no command
 */
export function commandHandler(
  command: readonly string[],
  { shell = false }: CommandOptions = {},
): WatchHandler {
  if (!Array.isArray(command) || !command[0] || command.some((word) => typeof word !== 'string'))
    throw refused(`a command and its arguments are wanted, as a list of strings, got ${show(command)}`);
  const [file, ...words] = shell
    ? [process.env.SHELL || '/bin/sh', '-c', command.join(' ')]
    : (command as [string, ...string[]]);
  return async (index, result, signal) => {
    if (signal.aborted) return;
    const { spawn } = await import('node:child_process');
    const child = spawn(file, words, {
      stdio: ['pipe', 'inherit', 'inherit'],
      env: { ...process.env, CONSUL_INDEX: String(index) },
    });
    const end = () => child.kill('SIGTERM');
    signal.addEventListener('abort', end);
    try {
      await ending(child, `${formatJson(result)}\n`);
    } catch (reason) {
      if (!signal.aborted) throw reason;
    } finally {
      signal.removeEventListener('abort', end);
    }
  };
}

async function ending(child: ChildProcess, input: string): Promise<void> {
  child.stdin?.on('error', () => {}); // A command need not read it.
  child.stdin?.end(input);
  const name = JSON.stringify(child.spawnfile);
  const [code, killedBy] = await once(child, 'exit').catch((reason: NodeJS.ErrnoException) => {
    throw new Error(`cannot start ${name}: ${reason.code ?? reason.message}`);
  });
  if (killedBy !== null) throw new Error(`${name} was ended by ${killedBy}`);
  if (code !== 0) throw new Error(`${name} ended with exit status ${code}`);
}
