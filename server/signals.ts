import type { Logger } from '../rpc/log.js';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** Servers of this process that a signal is closing: the last one ends it. */
let closing = 0;

type Closable = { close(): Promise<void>; closeNow(): Promise<void> };

/**
 * The first signal closes the server in its order, a second one at once; then the process ends, since a process that
 * was told to terminate must not live on for a forgotten handle. Returns how to stop listening.
 */
export function onSignals(server: Closable, logger: Logger): () => void {
  let asked = false;
  const onSignal = () => {
    const closed = asked ? server.closeNow() : server.close();
    if (!asked) closing++;
    const first = !asked;
    asked = true;
    closed
      .catch((error: unknown) => {
        logger.error('the server could not be closed', { error });
        process.exitCode = 1;
      })
      .then(() => {
        if (first && --closing === 0) process.exit();
      });
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return () => {
    if (asked) return;
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}
