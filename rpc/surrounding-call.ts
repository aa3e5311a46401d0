import { AsyncLocalStorage } from 'node:async_hooks';
import type { Deadline } from './deadline.js';

/** The call of a server within whose handler something runs. */
export interface SurroundingCall {
  readonly deadline: Deadline | undefined;
  /** Aborts when the call is cancelled, or its deadline passes. */
  readonly signal: AbortSignal;
}

/** Following calls through all that is asynchronous has a cost, so it begins when a process has both sides. */
let storage: AsyncLocalStorage<SurroundingCall> | undefined;
const sides = { client: false, server: false };

/** Told by the first of each side. */
export function hasSide(side: keyof typeof sides): void {
  sides[side] = true;
  if (sides.client && sides.server) storage ??= new AsyncLocalStorage();
}

/** The call within whose handler this runs; undefined outside, and where no process could have both. */
export const surroundingCall = (): SurroundingCall | undefined => storage?.getStore();

/** Makes `call` the one around all that runs in its own async context: the calls that it makes end with it. */
export function enterCall(call: SurroundingCall): void {
  storage?.enterWith(call);
}

/** Runs a handler: the calls that it makes end with this one. */
export function within<T>(call: SurroundingCall, run: () => T): T {
  return storage ? storage.run(call, run) : run();
}

/**
 * Runs something that outlives the handler it is started in, such as work that goes on after the reply: the calls that
 * it makes have their own deadlines alone, and are not cancelled with the handler's call.
 *
 *     async placeOrder(order) {
 *       detached(() => mail.send({ to: order.mail }).catch(report));
 *       return { placed: true };
 *     }
 */
export function detached<T>(run: () => T): T {
  return storage ? storage.exit(run) : run();
}

/** The earlier of two. */
export const earlier = (a: Deadline | undefined, b: Deadline | undefined): Deadline | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b);
