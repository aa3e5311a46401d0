import { type FSWatcher, watch as watchFile } from 'node:fs';

/** The system may not tell of a change, and never tells that a process has died. */
const POLL_MS = 400;

export type ChangesOptions = {
  signal: AbortSignal;
  pollMs?: number;
  /** Tells of changes in a folder, as `fs.watch`. */
  notify?: (folder: string, listener: () => void) => FSWatcher;
};

/**
 * Yields once at the start, then whenever a folder may have changed: when the system says so, and every `pollMs`.
 * Where the system does not, polling remains. Changes during the reader's turn are told as one. Ends when the signal
 * aborts. The folder need not exist.
 */
export async function* changes(
  folder: string,
  { signal, pollMs = POLL_MS, notify = watchFile }: ChangesOptions,
): AsyncGenerator<void, void, undefined> {
  let watcher: FSWatcher | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;
  let changed = false;
  let wake = () => {};
  const onChange = () => {
    changed = true;
    wake();
  };
  const unwatch = () => {
    watcher?.close();
    watcher = undefined;
  };
  // Not left to `finally`, which waits for a reader that may never come back.
  const onAbort = () => {
    unwatch();
    wake();
  };
  const startWatching = () => {
    if (watcher || performance.now() - triedAt < pollMs) return;
    triedAt = performance.now();
    try {
      watcher = notify(folder, onChange);
      watcher.on('error', unwatch);
      changed = true; // What happened since the last look was not watched.
    } catch {
      watcher = undefined;
    }
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal.aborted) {
      changed = false;
      yield;
      if (signal.aborted) return;
      startWatching();
      if (changed) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => wake(), pollMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    unwatch();
  }
}
