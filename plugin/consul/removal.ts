import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { systemClock } from './changes.js';
import type { Kv, SendingOptions } from './kv.js';

const RETRY_MS = 200;
const MAX_REMOVAL_MS = 5_000;

/** How long deregistering may take when Consul does not answer. */
export const removalMs = (timeoutMs: number): number => Math.min(timeoutMs, MAX_REMOVAL_MS);

/**
 * Deletes each key by its own name, never a folder, and tries again until the deadline. Does not reject: a server that
 * stops cannot do more than warn.
 */
export async function removeKeys(
  kv: Kv,
  keys: readonly string[],
  sending: SendingOptions & { readonly signal: AbortSignal },
  onFailure: (key: string, reason: string) => void,
): Promise<void> {
  const { signal: deadline } = sending;
  await Promise.all(
    keys.map(async (key) => {
      let error: unknown;
      while (!deadline.aborted) {
        try {
          await kv.delete(key, sending);
          return;
        } catch (reason) {
          error = deadline.aborted ? (error ?? reason) : reason;
          if (error instanceof RpcError && error.code !== Status.UNAVAILABLE) break;
          await systemClock.sleep(RETRY_MS, deadline);
        }
      }
      onFailure(key, RpcError.from(error, Status.DEADLINE_EXCEEDED).details);
    }),
  );
}
