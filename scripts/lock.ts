import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;

/**
 * Runs `work` in one process at a time, by a lock file that holds the owner's process id.
 * The lock of a process that died is taken over; in that rare case two may run at once, so `work` must stay safe.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  while (!(await take(file))) await sleep(POLL_MS);
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

// Several in one process may want the lock at once, each with a file of its own.
let tries = 0;

async function take(file: string): Promise<boolean> {
  const own = `${file}.${process.pid}.${tries++}`;
  await writeFile(own, String(process.pid));
  try {
    await link(own, file); // Unlike opening with 'wx' this never shows a lock without its owner.
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(own, { force: true });
  }
  const owner = Number(await readFile(file, 'utf8').catch(() => ''));
  if (owner > 0 && !isAlive(owner)) await rm(file, { force: true });
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
