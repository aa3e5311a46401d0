import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAddress } from '../../rpc/address.js';

/** What a connection to an address shows of whether a server is there. */
export type Probe =
  | { readonly kind: 'listens' }
  /** The machine says that nobody listens. */
  | { readonly kind: 'refuses' }
  /** It cannot be told from here: the machine, or the way to it, may be down. */
  | { readonly kind: 'silent'; readonly code: string };

/** A server that is just being started again is given this time to listen. */
const SECOND_TRY_MS = 1_000;

/** Connects, and once more when that is refused. `host:port` only. */
export async function probe(address: string, timeoutMs: number): Promise<Probe> {
  const first = await probeOnce(address, timeoutMs);
  if (first.kind !== 'refuses') return first;
  await sleep(SECOND_TRY_MS);
  return probeOnce(address, timeoutMs);
}

function probeOnce(address: string, timeoutMs: number): Promise<Probe> {
  const parsed = parseAddress(address);
  if (parsed.kind !== 'tcp') return Promise.resolve({ kind: 'silent', code: 'a unix socket' });
  return new Promise((resolve) => {
    const socket = connect({ host: parsed.host, port: parsed.port });
    const end = (result: Probe) => {
      socket.destroy();
      clearTimeout(timer);
      resolve(result);
    };
    const timer = setTimeout(() => end({ kind: 'silent', code: 'ETIMEDOUT' }), timeoutMs);
    socket.once('connect', () => end({ kind: 'listens' }));
    socket.once('error', ({ code = 'an error' }: NodeJS.ErrnoException) =>
      end(code === 'ECONNREFUSED' ? { kind: 'refuses' } : { kind: 'silent', code }),
    );
  });
}

/** Whether it is another server on each machine: what is seen here tells nothing of the one that was meant. */
export function isOfOneMachine(address: string): boolean {
  const parsed = parseAddress(address);
  return parsed.kind === 'unix' || /^(localhost|127\..*|::1)$/i.test(parsed.host);
}
