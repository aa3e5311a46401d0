import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { systemClock } from './changes.js';
import type { Kv } from './kv.js';

const RETRY_MS = 200;

/**
 * Resolves when a listing shows the key with the value. Not a stale read: what the leader shows, every server will.
 * @throws RpcError PERMISSION_DENIED when it does not show in time
 */
export async function untilVisible(
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
