import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ResolverPlugin } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { local } from 'lictor/plugin/local';
import { findConsul } from './consul.js';
import { deleteKeysUnder } from './consul-http.js';

/** How the demo's programs tell each other where they meet, as arguments of a command line. */
export type RegistryArguments =
  | readonly ['consul', address: string, prefix: string]
  | readonly ['local', folder: string];

/** The registry that the demo runs on. Disposing leaves nothing of the demo in it. */
export type DemoRegistry = AsyncDisposable & {
  readonly args: RegistryArguments;
  readonly name: string;
  /** Why it is this one. */
  readonly why: string;
};

export const openRegistry = ([kind, place = '', prefix = '']: readonly string[]): ResolverPlugin =>
  kind === 'consul' ? consul({ address: place, prefix }) : local({ folder: place });

/** Consul when there is one, else the registry that Lictor brings along. */
export async function chooseRegistry(onlyLocal: boolean, signal: AbortSignal): Promise<DemoRegistry> {
  if (onlyLocal) return localRegistry('asked for with --local');
  const found = await findConsul(signal);
  if (found.kind === 'none') return localRegistry(found.why);
  const { address } = found;
  // A Consul may be shared with others: the keys of this run are under a prefix that nobody else has.
  const prefix = `lictor-demo-${process.pid}-${randomBytes(3).toString('hex')}/`;
  return {
    args: ['consul', address, prefix],
    name: `Consul at ${address}, keys under ${prefix}`,
    why: found.why,
    async [Symbol.asyncDispose]() {
      if (found.kind === 'running') await deleteKeysUnder(address, prefix);
      await found[Symbol.asyncDispose]();
    },
  };
}

async function localRegistry(why: string): Promise<DemoRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'lictor-demo-'));
  return {
    args: ['local', folder],
    name: 'local(), which comes with Lictor',
    why,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
