import { RpcError } from '../../rpc/error.js';
import type { Logger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { MARK } from './fork.js';
import { type FromWorker, oursOf, type Report, type ToWorker } from './messages.js';

export type Closable = { close(): Promise<void>; closeNow(): Promise<void> };

/**
 * The number of this process among the workers; undefined in the first process.
 * @throws RpcError FAILED_PRECONDITION in a worker whose first process is gone, which nobody would ever end
 */
export function workerNumber(): number | undefined {
  const mark = process.env[MARK];
  if (mark === undefined) return undefined;
  const [first, number] = mark.split(':').map(Number) as [number, number];
  if (first === process.ppid && process.connected) return number;
  // What a worker starts has its environment, and may have workers of its own.
  if (first !== process.ppid && isAlive(first)) return undefined;
  throw new RpcError(
    Status.FAILED_PRECONDITION,
    `the process ${first} that started this worker is gone (or ${MARK} was not meant for this process: ${JSON.stringify(mark)})`,
  );
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export type WorkerOptions = {
  /** Resolves with the address when the server serves. */
  readonly start: () => Promise<string>;
  readonly handleSignals: boolean;
  readonly logger: Logger;
};

/**
 * Starts the server and tells the first process what became of it. From then on this process ends when its server is
 * closed: by an order of the first process, because that is gone, or by SIGTERM, which asks for another worker.
 */
export async function serveAsWorker(server: Closable, options: WorkerOptions): Promise<void> {
  const { start, handleSignals, logger } = options;
  let isServing = false;
  const leave = (how: keyof Closable) => {
    server[how]()
      .catch((error: unknown) => {
        logger.error('the server could not be closed', { error });
        process.exitCode = 1;
      })
      .then(() => process.exit());
  };
  process.on('message', (message) => {
    const order = oursOf<ToWorker>(message);
    if (order === 'close' || order === 'closeNow') leave(order);
  });
  // A start may take for ever, and nobody is left to end it.
  process.once('disconnect', () => leave(isServing ? 'close' : 'closeNow'));
  // A program that closes its server by itself may end.
  process.channel?.unref();
  if (handleSignals) {
    process.on('SIGTERM', () => leave('close'));
    // Ctrl-C reaches all processes of a terminal, and the first one sees to it.
    process.on('SIGINT', () => {});
  }
  try {
    const address = await start();
    isServing = true;
    await report({ kind: 'serving', address });
  } catch (error) {
    const { code, details } = RpcError.from(error);
    await report({ kind: 'failed', code, message: details });
    throw error;
  }
}

/** Resolves when it is on its way, since the program may end now. */
function report(what: Report): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send!({ lictor: what } satisfies FromWorker, () => resolve());
    else resolve();
  });
}
