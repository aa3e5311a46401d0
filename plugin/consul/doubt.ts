import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { Answer } from './answer.js';

/** A server that has not heard from its leader for longer may be far behind; followers hear several times a second. */
const MAX_CONTACT_MS = 5_000;

/**
 * Why a listing may be old, or undefined.
 * @throws RpcError UNAVAILABLE for an empty one without a leader: a server that has just started knows nothing
 */
export function doubtOf(
  {
    entries,
    knownLeader,
    lastContactMs,
  }: Pick<Answer, 'knownLeader' | 'lastContactMs'> & { entries: readonly unknown[] },
  agent: string,
): RpcError | undefined {
  if (knownLeader && lastContactMs <= MAX_CONTACT_MS) return undefined;
  if (entries.length === 0 && !knownLeader) {
    throw new RpcError(
      Status.UNAVAILABLE,
      `consul at ${agent}: has no cluster leader, so an empty list is not believed`,
      { maybeExecuted: false },
    );
  }
  const why = knownLeader
    ? `has not heard from its leader for ${lastContactMs} ms`
    : 'has no cluster leader at the moment';
  return new RpcError(Status.UNAVAILABLE, `consul at ${agent}: ${why}, so that its answers may be old`, {
    maybeExecuted: false,
  });
}
