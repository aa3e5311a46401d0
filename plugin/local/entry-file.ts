import { createHash } from 'node:crypto';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../rpc/make-folder.js';
import type { Node } from '../../selector/node.js';
import { fromNodeData, MAX_NODES, toNodeData } from '../node-data.js';
import { isRunning, type ProcessId, thisProcess } from './process.js';

const MAX_FILE_BYTES = 16 * 1024;

/** What a file of a service's folder turned out to be. */
export type EntryFile =
  | { readonly kind: 'node'; readonly node: Node }
  /** Its process is gone. */
  | { readonly kind: 'dead' }
  /** It went away meanwhile. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'bad'; readonly reason: string; readonly text: string };

let writes = 0;

/** Writes one server's file so that nobody sees half of it. Returns its path. */
export async function writeEntry(folder: string, node: Node): Promise<string> {
  await makeFolder(folder, 0o700);
  const owner = thisProcess();
  const file = join(folder, fileName(node.address, owner));
  const temporary = join(folder, `.${owner.pid}.${writes++}.tmp`);
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(JSON.stringify({ ...toNodeData(node), ...owner }));
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return file;
}

/**
 * The name holds the process too: a dead one's file can be removed without the danger of removing that of a new
 * process which has taken over the address meanwhile.
 */
function fileName(address: string, { pid }: ProcessId): string {
  const encoded = encodeURIComponent(address);
  // File names end at 255 bytes, which the path of a unix socket may pass when encoded.
  const short = encoded.length <= 200 ? encoded : createHash('sha256').update(address).digest('hex');
  return `${short}.${pid}.json`;
}

/** The names of the entries in a folder, in order. Makes the folder, so that it can be watched. */
export async function listEntries(folder: string): Promise<readonly string[]> {
  await makeFolder(folder, 0o700);
  const names = await readdir(folder);
  return names
    .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
    .sort()
    .slice(0, MAX_NODES);
}

/** Never throws for what is in the file, since others write there too. */
export async function readEntry(file: string): Promise<EntryFile> {
  let text: string;
  try {
    text = await readShort(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? { kind: 'absent' } : { kind: 'bad', reason: message, text: '' };
  }
  try {
    const data: unknown = JSON.parse(text);
    const node = fromNodeData(data);
    const { pid, started } = data as Record<string, unknown>;
    if (!Number.isSafeInteger(pid) || (pid as number) < 1) throw new Error('no process id');
    const owner = { pid: pid as number, ...(typeof started === 'string' ? { started } : {}) };
    return isRunning(owner) ? { kind: 'node', node } : { kind: 'dead' };
  } catch (error) {
    return { kind: 'bad', reason: (error as Error).message, text };
  }
}

async function readShort(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_FILE_BYTES + 1));
    if (bytesRead > MAX_FILE_BYTES) throw new Error(`longer than ${MAX_FILE_BYTES} bytes`);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
