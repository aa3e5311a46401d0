import type { End, Fork, WorkerEvents } from '../../../server/workers/fork.js';
import type { Clock } from '../../../server/workers/kept-worker.js';
import type { Order } from '../../../server/workers/messages.js';

/** A process that does only what the test says. */
export type ScriptedProcess = {
  readonly number: number;
  readonly orders: Order[];
  kills: number;
  serves(address: string): void;
  fails(message: string): void;
  ends(how?: Partial<End>): void;
};

/** Writes down the processes that are started. */
export function scriptedFork(): { fork: Fork; processes: ScriptedProcess[] } {
  const processes: ScriptedProcess[] = [];
  return {
    processes,
    fork(number, events: WorkerEvents) {
      const process: ScriptedProcess = {
        number,
        orders: [],
        kills: 0,
        serves: (address) => events.onReport({ kind: 'serving', address }),
        fails: (message) => events.onReport({ kind: 'failed', code: 14, message }),
        ends: (how) => events.onEnd({ code: 1, signal: null, ...how }),
      };
      processes.push(process);
      return {
        pid: processes.length,
        send: (order) => void process.orders.push(order),
        kill: () => void process.kills++,
      };
    },
  };
}

export type ScriptedClock = Clock & {
  /** Runs what is due until then. */
  pass(ms: number): void;
  /** How long until each thing that is to come. */
  waits(): number[];
};

export function scriptedClock(): ScriptedClock {
  let now = 0;
  const timers = new Set<{ at: number; run: () => void }>();
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    waits: () => [...timers].map(({ at }) => at - now),
    pass(ms) {
      const until = now + ms;
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
        if (!next) break;
        timers.delete(next);
        now = next.at;
        next.run();
      }
      now = until;
    },
  };
}
