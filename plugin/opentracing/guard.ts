import type { Logger } from '../../rpc/log.js';

/** Runs what may throw and must not; then it gives undefined. */
export type Guard = <T>(what: string, run: () => T) => T | undefined;

/** Logs the first failure of each `what`: a broken tracer breaks at every call. */
export function guarded(logger: Logger): Guard {
  const logged = new Set<string>();
  return (what, run) => {
    try {
      return run();
    } catch (error) {
      if (!logged.has(what)) {
        logged.add(what);
        logger.warn(`tracing could not ${what}; further failures of this kind are not logged`, { error });
      }
      return undefined;
    }
  };
}
