/** A millisecond or two of work. */
const MESSAGES_PER_TURN = 2_000;

let written = 0;
let nextTurn: Promise<void> | undefined;

/**
 * Counts a message of a stream. When enough were written in this turn of the event loop, by all streams together, it
 * returns a promise for the next one: sources that always have a message ready would let nothing else run, neither
 * the sockets nor the timers, until their windows are full.
 */
export function pace(): Promise<void> | undefined {
  if (written === 0) setImmediate(turned);
  if (++written < MESSAGES_PER_TURN) return undefined;
  nextTurn ??= new Promise((resolve) => {
    startNextTurn = resolve;
  });
  return nextTurn;
}

let startNextTurn: (() => void) | undefined;

function turned(): void {
  written = 0;
  nextTurn = undefined;
  startNextTurn?.();
  startNextTurn = undefined;
}
