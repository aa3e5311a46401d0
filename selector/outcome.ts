import { isCallersFailure } from '../rpc/callers-failure.js';
import type { RpcError } from '../rpc/error.js';
import { isMissingMethod } from '../rpc/not-executed.js';
import { Status } from '../rpc/status.js';

/** What the end of a call says of the node that had it. */
export type Outcome =
  | 'success'
  | 'failure'
  /** The node says that it does not have the method: it is older, or another service has its address by now. */
  | 'missing'
  /** It says nothing: the node did not get the call, or the caller did not wait, or its requests failed. */
  | 'nothing';

/** Statuses of a node that is ill. Of the others a healthy node answers what it was asked to. */
const FAILURES: ReadonlySet<Status> = new Set([
  Status.UNKNOWN,
  Status.DEADLINE_EXCEEDED,
  Status.INTERNAL,
  Status.UNAVAILABLE,
  Status.DATA_LOSS,
]);

export function outcomeOf(error: RpcError | undefined): Outcome {
  if (!error) return 'success';
  if (error.code === Status.CANCELLED || error.code === Status.RESOURCE_EXHAUSTED) return 'nothing';
  if (isCallersFailure(error)) return 'nothing';
  // That it could not be reached is what its connection says.
  if (!error.maybeExecuted) return isMissingMethod(error) ? 'missing' : 'nothing';
  if (error.code === Status.UNIMPLEMENTED) return 'missing';
  return FAILURES.has(error.code) ? 'failure' : 'success';
}
