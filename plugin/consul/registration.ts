import { RpcError } from '../../rpc/error.js';
import type { Logger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import type { Registration } from '../plugin.js';
import { systemClock } from './changes.js';
import { type ConsulClient, isUnreachable } from './client.js';
import { heldKeys } from './held-keys.js';
import { createKeeper } from './keeper.js';
import type { Kv } from './kv.js';
import { removalMs, removeKeys } from './removal.js';
import { sessionsOf } from './session.js';
import { untilVisible } from './visible.js';

const RETRY_MS = 200;

export type EntriesToRegister = {
  keys: readonly string[];
  value: string;
  address: string;
  ttlMs: number;
  nodeChecks: readonly string[];
  /** Goes on trying in the background where it would reject, but for what is wrong with the request itself. */
  startUnregistered: boolean;
  logger: Logger;
};

/**
 * Takes the keys with a session and resolves when a read shows them; then keeps them up until disposed. If that cannot
 * be done within the client's time-out, removes all and rejects.
 */
export async function register(
  client: ConsulClient,
  kv: Kv,
  { keys: all, value, address, ttlMs, nodeChecks, startUnregistered, logger }: EntriesToRegister,
): Promise<Registration> {
  const { timeoutMs } = client;
  const sessions = sessionsOf(client);
  const keys = heldKeys(kv, sessions, { keys: all, value, address, logger });
  const keeper = createKeeper({ sessions, keys, address, ttlMs, nodeChecks, timeoutMs, logger });

  async function leave(): Promise<void> {
    const sending = { signal: AbortSignal.timeout(removalMs(timeoutMs)), lane: 'renewals' } as const;
    // The keys first: should the rest fail, the session goes by itself, and holds nothing that a client would see.
    await removeKeys(kv, keys.current(), sending, (key, reason) =>
      logger.warn('could not remove an entry from Consul: it goes away by itself, after twice the TTL', {
        key,
        ttlMs,
        reason,
      }),
    );
    const session = keeper.session();
    // It also deletes what it took without our having heard of it.
    if (session !== undefined) await sessions.destroy(session, sending).catch(() => {});
  }

  async function establish(): Promise<void> {
    const deadline = AbortSignal.timeout(timeoutMs);
    for (;;) {
      try {
        await keeper.keep({ timeoutMs });
        await Promise.all(all.map((key) => untilVisible(kv, client.agent, key, value, deadline)));
        return;
      } catch (reason) {
        if (deadline.aborted || !mayPass(reason)) throw reason;
        await systemClock.sleep(RETRY_MS, deadline);
      }
    }
  }

  try {
    await establish();
  } catch (reason) {
    const error = RpcError.from(reason, Status.UNAVAILABLE);
    if (!startUnregistered || error.code === Status.INVALID_ARGUMENT) {
      await leave();
      throw error;
    }
    logger.warn('the server starts without entries in Consul, and goes on trying to make them', {
      address,
      reason: error.details,
    });
  }

  const stop = new AbortController();
  const running = keeper.run(stop.signal);
  let left: Promise<void> | undefined;
  return {
    [Symbol.asyncDispose]() {
      stop.abort();
      left ??= running.then(leave);
      return left;
    },
  };
}

/** Elections pass, and keys of a foreign session may be set free. That nothing listens, a person should know at once. */
const mayPass = (reason: unknown): boolean =>
  reason instanceof RpcError &&
  (reason.code === Status.ALREADY_EXISTS || (reason.code === Status.UNAVAILABLE && !isUnreachable(reason)));
