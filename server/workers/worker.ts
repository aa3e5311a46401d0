import { RpcError } from '../../rpc/error.js';
import type { Logger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { MARK } from './fork.js';
import { type FromWorker, oursOf, type Report, type ToWorker } from './messages.js';

type Closable = { close(): Promise<void>; closeNow(): Promise<void> };

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

/**
 * Ends this process when its server is closed: by an order of the first process, because that is gone, or by SIGTERM,
 * which asks for another worker. Ctrl-C reaches all processes of a terminal, and the first one sees to it.
 */
export function obey(server: Closable, logger: Logger, handleSignals: boolean): void {
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
  process.once('disconnect', () => leave('close'));
  // A program that closes its server by itself may end.
  process.channel?.unref();
  if (!handleSignals) return;
  process.on('SIGTERM', () => leave('close'));
  process.on('SIGINT', () => {});
}

/** Tells the first process what became of the start. Resolves when it is on its way, since the program may end now. */
export function report(what: Report): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send!({ lictor: what } satisfies FromWorker, () => resolve());
    else resolve();
  });
}
