import { createHash, randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RpcError, textOf } from '../../rpc/error.js';
import type { Logger } from '../../rpc/log.js';
import { makeFolder } from '../../rpc/make-folder.js';
import { Status } from '../../rpc/status.js';
import type { Node } from '../../selector/node.js';
import { fromNodeData, MAX_NODES, toNodeData, uniqueNodes } from '../node-data.js';
import type { AddressPolicy } from './address-policy.js';

/** The last list of one service that was not empty, on disk, for a start without Consul. */
export interface Snapshot {
  /** Undefined when there is none that can be used. */
  read(): Promise<Saved | undefined>;
  /** Returns at once; of lists that come while one is written only the last is kept. */
  save(nodes: readonly Node[]): void;
}

export type Saved = { readonly nodes: readonly Node[]; readonly savedAt: Date };

/** A longer file is none of ours, and a longer list is not saved. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;

/** Lists may change many times a second, disks wear. */
const WRITE_INTERVAL_MS = 1_000;

/**
 * @param folder made when it is first needed, for this user alone
 * @param key what was asked, and whom: lists of other places do not mix
 */
export function snapshotIn(folder: string, key: string, allowed: AddressPolicy, logger: Logger): Snapshot {
  const file = join(folder, `${createHash('sha256').update(key).digest('base64url')}.json`);
  let next: readonly Node[] | undefined;
  let writing = false;
  let failed = false;

  async function write(nodes: readonly Node[]): Promise<void> {
    const list = nodes.slice(0, MAX_NODES).map(toNodeData);
    const text = JSON.stringify({ version: 1, savedAt: new Date().toISOString(), nodes: list });
    if (Buffer.byteLength(text) > MAX_FILE_BYTES) throw new RangeError(`longer than ${MAX_FILE_BYTES} bytes`);
    await makeFolder(folder, 0o700);
    const temporary = `${file}.${randomUUID()}`;
    try {
      const handle = await open(temporary, 'wx', 0o600);
      try {
        await handle.writeFile(text);
        await handle.sync(); // Else a crash of the machine could leave an empty file under the final name.
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async function writeAll(): Promise<void> {
    writing = true;
    while (next) {
      const nodes = next;
      next = undefined;
      try {
        await write(nodes);
        failed = false;
      } catch (error) {
        if (!failed) logger.warn('could not save the list of nodes', { file, reason: textOf(error) });
        failed = true;
      }
      await new Promise((resolve) => setTimeout(resolve, WRITE_INTERVAL_MS).unref());
    }
    writing = false;
  }

  return {
    async read() {
      try {
        return parse(await readBounded(file), allowed);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
          logger.warn('could not use the saved list of nodes', { file, reason: textOf(error) });
        return undefined;
      }
    },
    save(nodes) {
      if (nodes.length === 0) return;
      next = nodes;
      if (!writing) void writeAll();
    },
  };
}

/** @throws RpcError INVALID_ARGUMENT for what cannot be a folder's path */
export function checkFolder(folder: string): void {
  if (typeof folder === 'string' && folder !== '' && !folder.includes('\0')) return;
  throw new RpcError(
    Status.INVALID_ARGUMENT,
    `snapshot: the path of a folder is wanted, got ${JSON.stringify(folder)}`,
    { maybeExecuted: false },
  );
}

async function readBounded(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(Math.min((await handle.stat()).size, MAX_FILE_BYTES) + 1);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    if (bytesRead > MAX_FILE_BYTES) throw new RangeError(`longer than ${MAX_FILE_BYTES} bytes`);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Trusts the file no more than the registry: what is no node, or not allowed (any more), is left out. */
function parse(text: string, allowed: AddressPolicy): Saved | undefined {
  const { version, savedAt, nodes } = (JSON.parse(text) ?? {}) as Record<string, unknown>;
  const time = new Date(typeof savedAt === 'string' ? savedAt : Number.NaN);
  if (version !== 1 || !Array.isArray(nodes) || Number.isNaN(time.getTime()))
    throw new SyntaxError('not a list of nodes of version 1');
  const usable: Node[] = [];
  for (const data of nodes.slice(0, MAX_NODES)) {
    try {
      const node = fromNodeData(data);
      if (node.address.startsWith('unix:')) continue;
      allowed(node.address);
      usable.push(node);
    } catch {
      // One bad node does not spoil the rest.
    }
  }
  return usable.length === 0 ? undefined : { nodes: uniqueNodes(usable), savedAt: time };
}
