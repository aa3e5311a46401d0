import { readFileSync } from 'node:fs';

/** A process of this machine: ids are used again, so where it can be known the start belongs to it. */
export interface ProcessId {
  readonly pid: number;
  /** In clock ticks since the machine's start (Linux only). */
  readonly started?: string;
}

export function thisProcess(): ProcessId {
  const stat = readStat(process.pid);
  return { pid: process.pid, ...(stat ? { started: stat.started } : {}) };
}

/** Whether the process still runs; in doubt it does. */
export function isRunning({ pid, started }: ProcessId): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // It is another user's.
  }
  const stat = readStat(pid);
  if (!stat) return true;
  return stat.state !== 'Z' && stat.state !== 'X' && (started === undefined || started === stat.started);
}

/** Fields 3 and 22 of /proc/<pid>/stat (proc(5)), counted from the last `)`: a program's name may hold anything. */
function readStat(pid: number): { readonly state: string; readonly started: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [state, started] = [fields[0], fields[19]];
    return state && started ? { state, started } : undefined;
  } catch {
    return undefined; // Not Linux.
  }
}
