import { type Abortable, forgetAborted, tellWhenAborted } from '../rpc/aborted.js';
import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';

/**
 * Waits for `event`, but no longer than `timeoutMs`, nor beyond the abort of `signal`.
 * @param late makes the error of a time-out
 * @throws RpcError CANCELLED, or what `late` makes
 */
export async function waitFor(
  event: Promise<void>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  late: () => RpcError,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let waiting: Abortable | undefined;
  try {
    await Promise.race([
      event,
      new Promise<never>((_, reject) => {
        waiting = { onAborted: ({ reason }) => reject(RpcError.from(reason, Status.CANCELLED)) };
        if (signal?.aborted) waiting.onAborted(signal);
        else if (signal) tellWhenAborted(signal, waiting);
        if (Number.isFinite(timeoutMs)) timer = setTimeout(() => reject(late()), timeoutMs);
      }),
    ]);
  } finally {
    clearTimeout(timer);
    if (signal && waiting) forgetAborted(signal, waiting);
  }
}
