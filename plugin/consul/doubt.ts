import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { Answer } from './answer.js';

/** A server that has not heard from its leader for longer may be far behind; followers hear several times a second. */
const MAX_CONTACT_MS = 5_000;

/** How long to wait for the next answer while the last one was in doubt. */
export const DOUBTFUL_WAIT_MS = 1_000;

/** Why an answer may be old, or undefined. */
export function doubtOf(
  { knownLeader, lastContactMs }: Pick<Answer, 'knownLeader' | 'lastContactMs'>,
  agent: string,
): RpcError | undefined {
  if (knownLeader && lastContactMs <= MAX_CONTACT_MS) return undefined;
  const why = knownLeader
    ? `has not heard from its leader for ${lastContactMs} ms`
    : 'has no cluster leader at the moment';
  return new RpcError(Status.UNAVAILABLE, `consul at ${agent}: ${why}, so that its answers may be old`, {
    maybeExecuted: false,
  });
}
