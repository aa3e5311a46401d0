import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';

/** The error of a call whose signal has aborted. */
export const cancelledBy = (signal: AbortSignal, maybeExecuted: boolean): RpcError => {
  const { code, details } = RpcError.from(signal.reason, Status.CANCELLED);
  return new RpcError(code, details, { cause: signal.reason, maybeExecuted });
};
