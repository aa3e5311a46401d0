import { readFileSync, type Stats, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { RpcError } from '../../rpc/error.js';
import { type ClientTls, MATERIALS, type ServerTls } from '../tls.js';
import { invalid, type Origins, type Pems } from './material.js';

/** Far more than all authorities of the world, and little for a process. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Absolute paths, of those that come from files. */
export type TlsFiles = { readonly [K in keyof Pems]?: string };

type Texts = Record<keyof Pems, Buffer>;

export function filesOf(tls: ClientTls | ServerTls): TlsFiles {
  const files: { -readonly [K in keyof Pems]?: string } = {};
  for (const name of MATERIALS) {
    const file = tls[`${name}File`];
    // A program may change its directory later.
    if (file !== undefined) files[name] = resolve(file);
  }
  return files;
}

export function originsOf(files: TlsFiles): Origins {
  const origin = (name: keyof Pems) => {
    const file = files[name];
    return file === undefined ? `tls.${name}` : `tls.${name}File ${JSON.stringify(file)}`;
  };
  return { ca: origin('ca'), cert: origin('cert'), key: origin('key') };
}

/** @throws RpcError INVALID_ARGUMENT that names the file that cannot be read */
export function readFilesSync(files: TlsFiles, origins: Origins): Pems {
  const texts: Partial<Texts> = {};
  for (const [name, file] of entriesOf(files)) {
    try {
      checkFile(statSync(file), origins[name]);
      texts[name] = readFileSync(file);
    } catch (reason) {
      throw unreadable(origins[name], reason);
    }
  }
  return texts;
}

/** As `readFilesSync`, for a server that has calls to answer: a disk that hangs does not stop it. */
export async function readFiles(files: TlsFiles, origins: Origins): Promise<Pems> {
  const texts: Partial<Texts> = {};
  for (const [name, file] of entriesOf(files)) {
    try {
      checkFile(await stat(file), origins[name]);
      texts[name] = await readFile(file);
    } catch (reason) {
      throw unreadable(origins[name], reason);
    }
  }
  return texts;
}

const entriesOf = (files: TlsFiles) => Object.entries(files) as [keyof Pems, string][];

/** A pipe would block, and a device may never end. */
function checkFile(stats: Stats, origin: string): void {
  if (!stats.isFile()) throw invalid(`${origin}: is not a regular file`);
  if (stats.size > MAX_BYTES) {
    throw invalid(`${origin}: has ${stats.size} bytes, at most ${MAX_BYTES} are read`);
  }
  if (stats.size === 0) throw invalid(`${origin}: is empty`);
}

const unreadable = (origin: string, reason: unknown): RpcError =>
  reason instanceof RpcError ? reason : invalid(`${origin}: cannot be read`, reason);
