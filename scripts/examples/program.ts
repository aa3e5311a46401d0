import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** How a program ended. */
export type End = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** A running program, whose lines are printed as they come. */
export interface Program {
  /** Resolves when it has ended and all of its output has been printed. */
  readonly ended: Promise<End>;
  /** Resolves when a line of its stdout has begun with `listening`; never when none does. */
  readonly listening: Promise<void>;
  /** Asks it to end. */
  terminate(): void;
  /** Ends it and whatever it has started, at once. Harmless when it has ended. */
  kill(): void;
}

/** Starts a Node program. `print` gets each line of its stdout and stderr, without the line end. */
export function startProgram(file: string, print: (line: string) => void): Program {
  // A process group of its own, so that what the program starts can be ended with it.
  const child = spawn(process.execPath, ['--enable-source-maps', file], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let open = true;
  const kill = () => {
    if (!open || child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // The group is empty.
    }
  };
  process.once('exit', kill);
  const ended = new Promise<End>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', kill);
    child.once('close', (code, signal) => {
      open = false;
      process.off('exit', kill);
      resolve({ code, signal });
    });
  });
  createInterface({ input: child.stderr }).on('line', print);
  const output = createInterface({ input: child.stdout }).on('line', print);
  const listening = new Promise<void>((resolve) => {
    output.on('line', (line) => {
      if (line.startsWith('listening')) resolve();
    });
  });
  return { ended, listening, terminate: () => child.kill('SIGTERM'), kill };
}
