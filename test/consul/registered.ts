import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { consul, type KvOptions } from '../../plugin/consul/consul.js';
import { type Logger, silentLogger } from '../../rpc/log.js';
import type { ConsulAgent } from './agent.js';

/** An entry as Consul tells of it. */
export type Entry = {
  readonly value: string;
  readonly session: string | undefined;
  readonly created: number;
};

export async function entryOf(agent: ConsulAgent, key: string): Promise<Entry | undefined> {
  const path = key.split('/').map(encodeURIComponent).join('/');
  const list = (await agent.request('GET', `/kv/${path}`)) as
    | { Value: string; Session?: string; CreateIndex: number }[]
    | undefined;
  const found = list?.[0];
  return (
    found && {
      value: Buffer.from(found.Value ?? '', 'base64').toString(),
      session: found.Session,
      created: found.CreateIndex,
    }
  );
}

/** Asks until the answer is as wanted; an agent that is not there for a moment is asked again. */
export async function until<T>(
  ask: () => Promise<T> | T,
  isWanted: (answer: T) => boolean,
  limitMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const answer = await ask();
      if (isWanted(answer)) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    await sleep(20);
  }
  throw new Error(`not within ${limitMs} ms; last: ${JSON.stringify(last) ?? String(last)} ${String(last)}`);
}

/** A session of the test's own that holds a key, with the lock delay that other programs have. */
export async function holdKey(
  agent: ConsulAgent,
  key: string,
  value: string,
  { name = 'another program', lockDelay = '15s' } = {},
): Promise<string> {
  const body = JSON.stringify({ Name: name, TTL: '60s', Behavior: 'delete', LockDelay: lockDelay });
  const { ID: id } = (await agent.request('PUT', '/session/create', body)) as { ID: string };
  const taken = await agent.request('PUT', `/kv/${key}?acquire=${id}`, value);
  if (taken !== true) throw new Error(`${key} was not taken`);
  return id;
}

export type SessionInfo = {
  ID: string;
  Name: string;
  TTL: string;
  Behavior: string;
  LockDelay: number;
  NodeChecks: string[];
};

export const sessionsAt = async (agent: ConsulAgent) =>
  (await agent.request('GET', '/session/list')) as SessionInfo[];

/** A process that registers the service and then does nothing more. */
export async function registeredProcess(
  agent: ConsulAgent,
  { address, service, ttlMs }: { address: string; service: string; ttlMs: number },
): Promise<ChildProcess> {
  const program = `
    import { consul } from ${JSON.stringify(new URL('../../plugin/consul/consul.js', import.meta.url).href)};
    const plugin = consul({ address: '${agent.address}', ttlMs: ${ttlMs} });
    const logger = { warn() {}, error() {} };
    setInterval(() => {}, 1_000); // A server's socket would keep the process.
    await plugin.init({ address: '${address}', services: ['${service}'], logger });
    process.send('registered');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(child, 'message');
  return child;
}

export const ADDRESS = '127.0.0.1:8000';
/** The shortest there is: what Consul deletes it deletes after two of these. */
export const TTL_MS = 1_000;

/** A server at `ADDRESS` with an agent to itself, and a TTL that tests can wait for. */
export const register = (
  agent: { readonly address: string },
  services: string | readonly string[],
  options: KvOptions = {},
  logger: Logger = silentLogger,
) =>
  consul({ address: agent.address, ttlMs: TTL_MS, timeoutMs: 5_000, ...options }).init({
    address: ADDRESS,
    services: [services].flat(),
    logger,
  });

/** Twice the TTL and a bit, in which what is not renewed has gone. */
export const expiry = () => sleep(2 * TTL_MS + 500);
