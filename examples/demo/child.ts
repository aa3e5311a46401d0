import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** Makes sure that a process does not outlive this one. */
export function tied<C extends ChildProcess>(child: C): C {
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  return child;
}

/** Starts a program that stands beside this file. */
export const startProgram = (file: string, args: readonly string[]): ChildProcess =>
  tied(fork(new URL(file, import.meta.url), args, { execArgv: ['--enable-source-maps'] }));

/** For a program that was started: runs `action` when the one that started it is gone or wants no more of it. */
export function whenAlone(action: () => void): void {
  process.once('disconnect', action);
  // It may have gone before this program was loaded.
  if (!process.connected) action();
}

const isOver = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

/** Ends a process and resolves when it is gone, with its exit code; harmless when it has ended. */
export async function end(
  child: ChildProcess,
  signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL',
): Promise<number | null> {
  if (!isOver(child)) {
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }
  return child.exitCode;
}

/** Rejects when the process ends. */
export async function ended(child: ChildProcess, name: string, signal?: AbortSignal): Promise<never> {
  if (!isOver(child)) await once(child, 'exit', signal && { signal });
  throw new Error(`${name} ended by itself with ${child.signalCode ?? `exit code ${child.exitCode}`}`);
}
