import { type KeepOptions, keepWorker } from './kept-worker.js';

/** All workers of a server, as the first process has them. */
export interface Fleet {
  /** Resolves when all serve; rejects as soon as one cannot. */
  readonly started: Promise<void>;
  /** Of those that serve just now, in the order of their numbers. */
  addresses(): readonly string[];
  /**
   * Tells all to close, and resolves when they are gone. One that takes longer than `limitMs` is killed, and soon all
   * of them when `hurry` resolves. Harmless twice.
   */
  end(options: { limitMs: number; hurry: Promise<void> }): Promise<void>;
}

/** For a process that has nothing to wait for. */
const HURRIED_LIMIT_MS = 2_000;

export function startFleet(count: number, options: KeepOptions): Fleet {
  const workers = Array.from({ length: count }, (_, number) => keepWorker(number, options));
  return {
    started: Promise.all(workers.map((worker) => worker.started)).then(() => {}),
    addresses: () => workers.flatMap((worker) => worker.address() ?? []),
    async end({ limitMs, hurry }) {
      const closed = Promise.all(workers.map((worker) => worker.end('close', limitMs)));
      const isHurried = await Promise.race([closed.then(() => false), hurry.then(() => true)]);
      if (isHurried) await Promise.all(workers.map((worker) => worker.end('closeNow', HURRIED_LIMIT_MS)));
    },
  };
}
