import { RpcError } from '../../rpc/error.js';
import type { Logger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { ENTRY_FLAGS, parseEntry } from './entry.js';
import type { KeyValue, Kv, SendingOptions } from './kv.js';
import type { Sessions } from './session.js';

export type KeysToHold = {
  readonly keys: readonly string[];
  readonly value: string;
  /** The server's, which its keys end in. */
  readonly address: string;
  readonly logger: Logger;
};

/** The keys of one registration, all to be held by its one session. */
export interface HeldKeys {
  /** Sees that the session holds every key, and takes those that it does not; tries all before it rejects. */
  hold(session: string, sending: SendingOptions): Promise<void>;
  /** The session is gone, or will be soon: what it may still hold is ours to take. */
  forget(session: string): void;
  /** Those that were held when last seen. */
  current(): readonly string[];
}

/** How often a key is tried for in a row, while its holder changes under our hands. */
const ROUNDS = 3;
const MAX_FORMER = 32;

/** Marks sessions of servers at an address, so that one which starts again there may end that of its former life. */
export const sessionNameOf = (address: string): string => `lictor ${address}`;

export function heldKeys(kv: Kv, sessions: Sessions, { keys, value, address, logger }: KeysToHold): HeldKeys {
  const held = new Set<string>();
  const heldOnce = new Set<string>();
  const formerSessions = new Set<string>();
  /** Key to the holder that was warned of. */
  const conflicts = new Map<string, string>();

  /** Only the holder is looked at: an operator may have written another weight under our lock. */
  async function check(key: string, session: string, sending: SendingOptions): Promise<void> {
    if ((await find(key, sending))?.session !== session) held.delete(key);
  }

  async function take(key: string, session: string, sending: SendingOptions): Promise<void> {
    const beaten = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      if (await kv.putIf(key, value, { ...sending, flags: ENTRY_FLAGS, acquire: session })) {
        held.add(key);
        heldOnce.add(key);
        conflicts.delete(key);
        for (const former of beaten) await end(former, sending);
        return;
      }
      const entry = await find(key, sending);
      const holder = entry?.session;
      if (entry === undefined || holder === undefined) continue; // Just set free.
      if (!formerSessions.has(holder) && !isStale(key, entry)) return conflict(key, entry, holder, sending);
      // A holder can only be beaten by deleting the key; not if it has changed since we looked.
      await kv.delete(key, { ...sending, cas: entry.modifyIndex });
      beaten.add(holder);
    }
    throw new RpcError(
      Status.UNAVAILABLE,
      `${JSON.stringify(key)} cannot be taken at the moment: another session has just left it, with a lock delay`,
      { maybeExecuted: false },
    );
  }

  /**
   * Whoever starts has the port, so an entry of this address is from a former life. Later on it is another server's
   * that has the same address, and two that beat each other would never end.
   */
  const isStale = (key: string, entry: KeyValue) => !heldOnce.has(key) && addressIn(entry) === address;

  async function conflict(key: string, entry: KeyValue, holder: string, sending: SendingOptions) {
    const isSame = addressIn(entry) === address;
    if (isSame && conflicts.get(key) === holder) return;
    const session = await sessions.info(holder, sending);
    const who = session ? `session ${holder} (${JSON.stringify(session.name)} of ${session.node})` : holder;
    if (!isSame) {
      throw new RpcError(
        Status.ALREADY_EXISTS,
        `${JSON.stringify(key)} is held by ${who}, and its value is not ${address}: is the prefix used for something else?`,
        { maybeExecuted: false },
      );
    }
    conflicts.set(key, holder);
    logger.warn(
      'another server registers the same address in Consul: its entry is left, until it goes away',
      {
        key,
        holder: who,
      },
    );
  }

  /** Ends a session of ours, or of a former life, so that entries of services which are no more go too. */
  async function end(session: string, sending: SendingOptions): Promise<void> {
    try {
      const isOurs =
        formerSessions.has(session) ||
        (await sessions.info(session, sending))?.name === sessionNameOf(address);
      if (isOurs) await sessions.destroy(session, sending);
    } catch (reason) {
      // It ends by itself; the key is ours already.
      logger.warn('could not end the session of an entry that was taken over', {
        reason: RpcError.from(reason).details,
      });
    }
  }

  const find = async (key: string, sending: SendingOptions) =>
    (await kv.get(key, sending)).entries.find((entry) => entry.key === key);

  return {
    async hold(session, sending) {
      // In turn, on the connection of the renewals: the agent may have none left to give.
      for (const key of [...held]) await check(key, session, sending);
      const missing = keys.filter((key) => !held.has(key));
      const results = await Promise.allSettled(missing.map((key) => take(key, session, sending)));
      const failed = results.find((result) => result.status === 'rejected');
      if (failed) throw failed.reason;
    },
    forget(session) {
      held.clear();
      formerSessions.add(session);
      for (const oldest of formerSessions) {
        if (formerSessions.size <= MAX_FORMER) break;
        formerSessions.delete(oldest);
      }
    },
    current: () => [...held],
  };
}

/** What an entry says of itself; undefined when it is none. */
function addressIn({ value }: KeyValue): string | undefined {
  try {
    return parseEntry(value).address;
  } catch {
    return undefined;
  }
}
