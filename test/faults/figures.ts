import { setTimeout as sleep } from 'node:timers/promises';
import type { Calling } from './calling.js';
import type { Attempt } from './load.js';

export const ms = (time: number) => `${time.toFixed(0)} ms`;

/** The attempts at a node since then. */
export const at = ({ attempts }: Calling, address: string, since = 0): Attempt[] =>
  attempts.all.filter((one) => one.address === address && one.sentAt >= since);

/** NaN of none, which fits no limit. */
export const quantile = (times: readonly number[], q: number): number =>
  [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(q * times.length))] ?? Number.NaN;

export async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + 30_000; !condition(); await sleep(1))
    if (performance.now() > end) throw new Error(`not within 30 s: ${what}`);
}

/** How long after `since` the first call that this node was sent then was answered. */
export async function usedAgain(calls: Calling, address: string, since: number): Promise<number> {
  const answered = () => at(calls, address, since).find(({ done, error }) => done && !error);
  await until(() => answered() !== undefined, `a call is answered by ${address}`);
  return answered()!.sentAt - since;
}
