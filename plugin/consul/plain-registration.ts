import type { Logger } from '../../rpc/log.js';
import type { Registration } from '../plugin.js';
import type { ConsulClient } from './client.js';
import { ENTRY_FLAGS } from './entry.js';
import type { Kv } from './kv.js';
import { removalMs, removeKeys } from './removal.js';
import { untilVisible } from './visible.js';

export type KeysToWrite = {
  keys: readonly string[];
  value: string;
  logger: Logger;
};

/**
 * Writes the keys without a session and resolves when a read shows them; if one cannot be written or seen, removes all
 * and rejects. Nothing runs while they are registered, and after a crash they stay.
 */
export async function registerPlain(
  client: ConsulClient,
  kv: Kv,
  { keys, value, logger }: KeysToWrite,
): Promise<Registration> {
  const { timeoutMs } = client;
  const deadline = AbortSignal.timeout(timeoutMs);
  const remove = (some: readonly string[]) =>
    removeKeys(kv, some, { signal: AbortSignal.timeout(removalMs(timeoutMs)) }, (key, reason) =>
      logger.error(
        'could not remove an entry from Consul: clients go on trying the address until it is deleted',
        { key, reason },
      ),
    );
  const written: string[] = [];
  const results = await Promise.allSettled(
    keys.map(async (key) => {
      await kv.put(key, value, { flags: ENTRY_FLAGS });
      written.push(key);
      await untilVisible(kv, client.agent, key, value, deadline);
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) {
    // A write that failed may have been done, only its answer was lost.
    const unsure = keys.filter((key) => !written.includes(key));
    const signal = AbortSignal.timeout(removalMs(timeoutMs));
    await Promise.all([remove(written), ...unsure.map((key) => kv.delete(key, { signal }).catch(() => {}))]);
    throw failed.reason;
  }
  let removed: Promise<void> | undefined;
  return {
    [Symbol.asyncDispose]() {
      removed ??= remove(keys);
      return removed;
    },
  };
}
