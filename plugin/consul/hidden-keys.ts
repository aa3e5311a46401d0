import { type HiddenCheck, isDenied, MAX_LOOKS, RIGHTS_MS } from './hidden.js';
import type { Kv } from './kv.js';

/** For keys: a read of one key is refused where a listing leaves the key out. */
export function hiddenKeys(kv: Kv, prefix: string, stale: boolean): HiddenCheck {
  // On the connection of the watch, which is free: an agent takes 200 of them from a host.
  return async ({ lost, signal }) => {
    // One that may be read says nothing of the others: it may have been deleted while they were hidden.
    for (const key of lost.slice(0, MAX_LOOKS))
      if (!(await kv.mayRead(key, { stale, signal, lane: 'watches', timeoutMs: RIGHTS_MS })))
        throw kv.denied(prefix);
    if (lost.length === 0) throw kv.denied(prefix);
  };
}

/**
 * The same for a folder that policies allow as a whole: while one of its keys shows, none is hidden. A look that fails
 * holds up no list, since clients use lost nodes for a while anyway.
 */
export function hiddenFolder(kv: Kv, folder: string, stale: boolean): HiddenCheck {
  const check = hiddenKeys(kv, folder, stale);
  return async (loss) => {
    if (!loss.isFiltered && !loss.isEmpty) return;
    await check(loss).catch((error: unknown) => {
      if (loss.signal.aborted || isDenied(error)) throw error;
    });
  };
}
