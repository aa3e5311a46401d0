import { streamsRequests } from '../rpc/call.js';
import { callersFailure } from '../rpc/callers-failure.js';
import { RpcError } from '../rpc/error.js';
import { mayHaveRun } from '../rpc/not-executed.js';
import type { Method } from '../rpc/service.js';
import { Status } from '../rpc/status.js';

// Errors of this side that come while a server has the call. Codecs do not know which side they work for, and say of all
// that they cannot write or read that it has not run.

/** A reply has come, and cannot be read. */
export const unreadableReply = (reason: unknown): RpcError =>
  mayHaveRun(RpcError.from(reason, Status.INTERNAL));

/** The caller's requests fail, or one of them cannot be written. A handler that takes many has begun by then. */
export function failedRequests(method: Method, reason: unknown): RpcError {
  const error = RpcError.from(reason, Status.CANCELLED);
  return callersFailure(streamsRequests(method) ? mayHaveRun(error) : error);
}
