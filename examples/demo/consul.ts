import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startAgent } from './agent.js';
import { hasLeader } from './consul-http.js';

/** One that was started ends when it is disposed; one that runs already stays. */
export type FoundConsul =
  | (AsyncDisposable & {
      readonly kind: 'running' | 'started';
      readonly address: string;
      readonly why: string;
    })
  | { readonly kind: 'none'; readonly why: string };

/** The Consul that runs already, else an agent of our own if the program is there. */
export async function findConsul(signal?: AbortSignal): Promise<FoundConsul> {
  const address = process.env.CONSUL_HTTP_ADDR || '127.0.0.1:8500';
  if (await hasLeader(address)) {
    return { kind: 'running', address, why: 'it runs already', async [Symbol.asyncDispose]() {} };
  }
  const none = `no Consul answers at ${address}`;
  const binary = await findBinary();
  if (!binary) {
    const { CONSUL_BIN } = process.env;
    const missing = CONSUL_BIN ? `CONSUL_BIN (${CONSUL_BIN}) is no program` : '`consul` is not on PATH';
    const remedy = 'install Consul, or set CONSUL_BIN to it, or CONSUL_HTTP_ADDR to an agent';
    return { kind: 'none', why: `${none}, and ${missing}; ${remedy}` };
  }
  try {
    const agent = await startAgent(binary, signal);
    return { kind: 'started', why: `${none}; started one for this run`, ...agent };
  } catch (error) {
    signal?.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: 'none', why: `${none}, and ${binary} did not start: ${reason}` };
  }
}

/** CONSUL_BIN, `consul` on PATH, or the one that this repository's tests have fetched. */
async function findBinary(): Promise<string | undefined> {
  const { CONSUL_BIN, PATH = '' } = process.env;
  const fetched = fileURLToPath(new URL('../../../.cache/consul/usr/bin/consul', import.meta.url));
  const folders = PATH.split(delimiter).filter((folder) => folder !== '');
  const files = CONSUL_BIN ? [CONSUL_BIN] : [...folders.map((folder) => join(folder, 'consul')), fetched];
  for (const file of files) if (await isExecutable(file)) return file;
  return undefined;
}

const isExecutable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
