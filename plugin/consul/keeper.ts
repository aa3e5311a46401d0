import { setTimeout as delay } from 'node:timers/promises';
import { RpcError } from '../../rpc/error.js';
import type { Logger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { createBackoff, kindOf } from './backoff.js';
import { type Clock, systemClock } from './changes.js';
import { type HeldKeys, sessionNameOf } from './held-keys.js';
import type { SendingOptions } from './kv.js';
import type { Sessions } from './session.js';

export type KeeperOptions = {
  sessions: Sessions;
  keys: HeldKeys;
  address: string;
  ttlMs: number;
  nodeChecks: readonly string[];
  /** For one answer. */
  timeoutMs: number;
  logger: Logger;
  clock?: Clock | undefined;
  random?: (() => number) | undefined;
};

/** Keeps the entries of one registration up, by a session that it renews. */
export interface Keeper {
  /**
   * Makes the session or renews it, and sees that it holds every key: whatever has happened meanwhile, this is what
   * mends it. Not while another one runs.
   */
  keep(sending: SendingOptions): Promise<void>;
  /** Keeps, a third of the TTL after the last time, until aborted. Does not reject. */
  run(signal: AbortSignal): Promise<void>;
  /** The session, if there is one. */
  session(): string | undefined;
}

/** No I/O before the first `keep`. */
export function createKeeper(options: KeeperOptions): Keeper {
  const { sessions, keys, address, ttlMs, nodeChecks, timeoutMs, logger } = options;
  const { clock = idleClock, random = Math.random } = options;
  const intervalMs = ttlMs / 3;
  let session: string | undefined;
  let dueAt = Number.NEGATIVE_INFINITY;
  let wasLost = false;

  async function isAlive(id: string, sending: SendingOptions): Promise<boolean> {
    // Less than the interval, so that an answer that does not come leaves time for another try.
    const renewing = { ...sending, timeoutMs: Math.min(timeoutMs, Math.ceil(intervalMs * 0.75)) };
    if (await sessions.renew(id, renewing)) return true;
    // An agent that has just started may say so of a session that is still there.
    if ((await sessions.info(id, renewing)) === undefined) return false;
    if (await sessions.renew(id, renewing)) return true;
    await sessions.destroy(id, renewing);
    return false;
  }

  async function keep(given: SendingOptions): Promise<void> {
    const sending: SendingOptions = { ...given, lane: 'renewals' };
    const started = clock.now();
    if (session !== undefined && !(await isAlive(session, sending))) {
      keys.forget(session);
      session = undefined;
      wasLost = true;
    }
    session ??= await sessions.create({ name: sessionNameOf(address), ttlMs, nodeChecks }, sending);
    await keys.hold(session, sending);
    dueAt = started + intervalMs * (0.9 + 0.2 * random());
    if (!wasLost) return;
    wasLost = false;
    logger.warn('Consul had lost the session of this server: its entries have been made again', { address });
  }

  async function run(signal: AbortSignal): Promise<void> {
    const backoff = createBackoff(random);
    let reported: Status | undefined;
    for (;;) {
      await clock.sleep(dueAt - clock.now(), signal);
      if (signal.aborted) return;
      try {
        await keep({ signal, timeoutMs: Math.min(timeoutMs, Math.max(intervalMs, 1_000)) });
        backoff.reset();
        reported = undefined;
      } catch (reason) {
        if (signal.aborted) return;
        const error = RpcError.from(reason, Status.UNAVAILABLE);
        const { code, details } = error;
        const isOutage = code === Status.UNAVAILABLE || code === Status.DEADLINE_EXCEEDED;
        const kind = isOutage ? Status.UNAVAILABLE : code;
        if (kind !== reported) {
          reported = kind;
          logger.warn('could not keep up the entries in Consul: they go away if that goes on', {
            address,
            reason: details,
          });
        }
        dueAt = clock.now() + backoff.pauseMs(kindOf(error), error, Math.max(1_000, intervalMs));
      }
    }
  }

  return { keep, run, session: () => session };
}

/** A registration that is waiting keeps no process alive: that is for the server to do. */
const idleClock: Clock = {
  now: systemClock.now,
  sleep: (ms, signal) =>
    ms <= 0 ? Promise.resolve() : delay(ms, undefined, { signal, ref: false }).catch(() => {}),
};
