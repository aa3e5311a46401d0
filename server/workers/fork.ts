import { type ChildProcess, fork as forkProcess } from 'node:child_process';
import { RpcError } from '../../rpc/error.js';
import { type FromWorker, type Order, oursOf, type Report, type ToWorker } from './messages.js';

/** How a process ended; `error` when it could not even be started. */
export type End = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error?: Error;
};

export type WorkerProcess = {
  readonly pid: number | undefined;
  send(order: Order): void;
  kill(): void;
};

export type WorkerEvents = {
  onReport(report: Report): void;
  /** Once, after the last report and never before `fork` has returned. */
  onEnd(end: End): void;
};

/** Starts a worker's process. */
export type Fork = (number: number, events: WorkerEvents) => WorkerProcess;

/** `<pid of the first process>:<number of the worker>`, in the environment of a worker. */
export const MARK = 'LICTOR_WORKER';

const INSPECT = /^--inspect(-brk|-wait)?(=.*)?$/;

/** Runs the program of this process once more, with its arguments. */
export function forker(program: string): Fork {
  return (number, { onReport, onEnd }) => {
    let child: ChildProcess;
    try {
      child = forkProcess(program, process.argv.slice(2), {
        env: { ...process.env, [MARK]: `${process.pid}:${number}` },
        // The debugger's port is taken by this process.
        execArgv: process.execArgv.map((arg) => (INSPECT.test(arg) ? '--inspect=0' : arg)),
      });
    } catch (error) {
      // Some of what a system refuses is thrown, and the rest is told by 'error'.
      setImmediate(onEnd, { code: null, signal: null, error: RpcError.from(error) });
      return { pid: undefined, send() {}, kill() {} };
    }
    child.on('message', (message) => {
      const report = oursOf<FromWorker>(message);
      if (report) onReport(report);
    });
    // Not 'exit', which may come before the last message.
    child.once('close', (code, signal) => {
      if (child.pid !== undefined) onEnd({ code, signal });
    });
    // It also tells of an order that a dying process did not take: of that its end tells.
    child.on('error', (error) => {
      if (child.pid === undefined) onEnd({ code: null, signal: null, error });
    });
    return {
      pid: child.pid,
      send(order) {
        if (child.connected) child.send({ lictor: order } satisfies ToWorker, () => {});
      },
      kill() {
        // Without a process the signal would go to this one's whole group.
        if (child.pid !== undefined) child.kill('SIGKILL');
      },
    };
  };
}
