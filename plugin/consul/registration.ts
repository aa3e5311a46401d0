import { RpcError } from '../../rpc/error.js';
import type { Logger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import type { Registration } from '../plugin.js';
import { systemClock } from './changes.js';
import { ENTRY_FLAGS } from './entry.js';
import type { Kv } from './kv.js';

const RETRY_MS = 200;
const MAX_DEREGISTER_MS = 5_000;

export type KeysToRegister = {
  keys: readonly string[];
  value: string;
  /** How long writes may take to show, and deregistering at most (but not over 5 s), in milliseconds. */
  timeoutMs: number;
  logger: Logger;
};

/**
 * Writes the keys and resolves when a read shows them; if one cannot be written or seen, removes all and rejects.
 * Nothing runs while they are registered.
 */
export async function register(
  kv: Kv,
  agent: string,
  { keys, value, timeoutMs, logger }: KeysToRegister,
): Promise<Registration> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const removeMs = Math.min(timeoutMs, MAX_DEREGISTER_MS);
  const written: string[] = [];
  const results = await Promise.allSettled(
    keys.map(async (key) => {
      await kv.put(key, value, { flags: ENTRY_FLAGS });
      written.push(key);
      await untilVisible(kv, agent, key, value, deadline);
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) {
    // A write that failed may have been done, only its answer was lost.
    const unsure = keys.filter((key) => !written.includes(key));
    const signal = AbortSignal.timeout(removeMs);
    await Promise.all([
      removeKeys(kv, written, removeMs, logger),
      ...unsure.map((key) => kv.delete(key, { signal }).catch(() => {})),
    ]);
    throw failed.reason;
  }
  let removed: Promise<void> | undefined;
  return {
    [Symbol.asyncDispose]() {
      removed ??= removeKeys(kv, keys, removeMs, logger);
      return removed;
    },
  };
}

/** Not a stale read: what the leader shows, every server will. */
async function untilVisible(
  kv: Kv,
  agent: string,
  key: string,
  value: string,
  deadline: AbortSignal,
): Promise<void> {
  for (;;) {
    const { entries } = await kv.list(key);
    if (entries.some((entry) => entry.key === key && entry.value.toString() === value)) return;
    if (deadline.aborted) break;
    await systemClock.sleep(RETRY_MS, deadline);
  }
  // A list that the token may not read looks empty.
  throw new RpcError(
    Status.PERMISSION_DENIED,
    `consul at ${agent}: ${JSON.stringify(key)} was written but does not show; may the token read it ` +
      `(key_prefix ${JSON.stringify(key)} { policy = "read" })?`,
    { maybeExecuted: false },
  );
}

/** Each key by its own name, never a folder. Does not reject: a server that stops cannot do more than warn. */
async function removeKeys(kv: Kv, keys: readonly string[], timeoutMs: number, logger: Logger): Promise<void> {
  const deadline = AbortSignal.timeout(timeoutMs);
  await Promise.all(
    keys.map(async (key) => {
      let error: unknown;
      while (!deadline.aborted) {
        try {
          await kv.delete(key, { signal: deadline });
          return;
        } catch (reason) {
          error = deadline.aborted ? (error ?? reason) : reason;
          if (error instanceof RpcError && error.code !== Status.UNAVAILABLE) break;
          await systemClock.sleep(RETRY_MS, deadline);
        }
      }
      const reason = RpcError.from(error, Status.DEADLINE_EXCEEDED).details;
      logger.error(
        'could not remove an entry from Consul: clients go on trying the address until it is deleted',
        { key, reason },
      );
    }),
  );
}
