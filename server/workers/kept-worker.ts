import { RpcError } from '../../rpc/error.js';
import { MAX_TIMER_MS } from '../../rpc/limit.js';
import type { Logger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import type { End, Fork, WorkerProcess } from './fork.js';
import type { Order } from './messages.js';

export type Clock = {
  now(): number;
  /** Returns how to call it off. */
  after(ms: number, run: () => void): () => void;
};

export type KeepOptions = {
  readonly fork: Fork;
  readonly logger: Logger;
  readonly clock?: Clock | undefined;
  readonly random?: (() => number) | undefined;
};

/** One of the workers: a process, and after its death another one. */
export interface KeptWorker {
  /** Resolves when it serves for the first time; rejects when it does not come to that, and is then not started again. */
  readonly started: Promise<void>;
  /** While it serves. */
  address(): string | undefined;
  /** Starts it no more, and resolves when it is gone; it is killed when `limitMs` have passed since the last order. */
  end(order: Order, limitMs: number): Promise<void>;
}

const FIRST_BACK_OFF_MS = 100;
const MAX_BACK_OFF_MS = 10_000;
/** One that has served for so long did not die of its start. */
const SETTLED_MS = 10_000;
/** For one that says that it cannot serve, and ought to end by itself. */
const FAILED_LIMIT_MS = 1_000;

export function keepWorker(number: number, options: KeepOptions): KeptWorker {
  const { fork, logger, clock = systemClock, random = Math.random } = options;
  let running: WorkerProcess | undefined;
  let address: string | undefined;
  let servingSince: number | undefined;
  let hasServed = false;
  let lastOrder: Order | undefined; // Of those that say that it is to leave.
  let backOffMs = FIRST_BACK_OFF_MS;
  let callOffKill = () => {};
  let callOffStart = () => {};
  let served!: () => void;
  let failed!: (error: RpcError) => void;
  let gone!: () => void;
  const started = new Promise<void>((resolve, reject) => {
    served = resolve;
    failed = reject;
  });
  // Several may fail, and the first is told.
  started.catch(() => {});
  const isGone = new Promise<void>((resolve) => {
    gone = resolve;
  });

  function start(): void {
    address = servingSince = undefined;
    running = fork(number, {
      onReport(report) {
        if (report.kind === 'serving') {
          ({ address } = report);
          servingSince = clock.now();
          hasServed = true;
          // Told before it listened for orders: a program with a listener of its own has let that pass.
          if (lastOrder) running?.send(lastOrder);
          return served();
        }
        const { code, message } = report;
        if (hasServed) logger.error('a worker could not serve', { worker: number, reason: message });
        failed(new RpcError(code, `worker ${number} could not serve: ${message}`, { maybeExecuted: false }));
        order('closeNow', FAILED_LIMIT_MS);
      },
      onEnd,
    });
  }

  function onEnd(end: End): void {
    const pid = running?.pid;
    running = address = undefined;
    callOffKill();
    if (!hasServed) {
      const how = `worker ${number} ended before it served: ${described(end)}`;
      failed(new RpcError(Status.UNAVAILABLE, how, { cause: end.error, maybeExecuted: false }));
    }
    if (lastOrder || !hasServed) return gone();
    if (servingSince !== undefined && clock.now() - servingSince >= SETTLED_MS) backOffMs = FIRST_BACK_OFF_MS;
    // The workers of one cause do not come back, and fail again, in one moment.
    const inMs = Math.round(backOffMs * (0.5 + random() / 2));
    backOffMs = Math.min(backOffMs * 2, MAX_BACK_OFF_MS);
    logger.warn('a worker ended and is started again', { worker: number, pid, how: described(end), inMs });
    callOffStart = clock.after(inMs, start);
  }

  function order(what: Order, limitMs: number): void {
    if (!running) return;
    running.send(what);
    callOffKill();
    callOffKill = clock.after(Math.min(limitMs, MAX_TIMER_MS), () => {
      logger.warn('a worker did not end in its time and is killed', { worker: number, pid: running?.pid });
      running?.kill();
    });
  }

  start();
  return {
    started,
    address: () => address,
    end(what, limitMs) {
      lastOrder = what;
      callOffStart();
      order(what, limitMs);
      if (!running) gone();
      return isGone;
    },
  };
}

const described = ({ code, signal, error }: End): string =>
  error ? `it could not be started: ${error.message}` : signal ? `signal ${signal}` : `code ${code}`;

const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
