import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 15_000;

/** What keeps this process alive: sockets, timers, pipes, by kind. */
export function resources(): Readonly<Record<string, number>> {
  const count: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) count[name] = (count[name] ?? 0) + 1;
  return count;
}

/**
 * Resolves when there is no more of any kind than there was. What closes takes a moment, and the connections of a test's
 * own requests to Consul are kept for a few seconds.
 * @throws when there still is
 */
resources.are = async (before: Readonly<Record<string, number>>): Promise<void> => {
  for (const end = performance.now() + PATIENCE_MS; ; await sleep(50)) {
    const now = resources();
    const more = Object.keys(now).filter((kind) => now[kind]! > (before[kind] ?? 0) + own(kind));
    if (more.length === 0) return;
    if (performance.now() > end) {
      const left = more.map((kind) => `${now[kind]} ${kind} (${before[kind] ?? 0} before)`);
      throw new Error(`left behind: ${left.join(', ')}`);
    }
  }
};

/** The wait between two looks is a timer, too. */
const own = (kind: string) => (kind === 'Timeout' ? 1 : 0);
