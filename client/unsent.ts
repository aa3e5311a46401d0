import type { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';

/** Sent again at most this often when no server has seen the call: enough to step over nodes that have just died. */
export const MAX_UNSENT = 3;

/** No server has seen the call, and by now the selector knows that this node cannot be reached. */
export const isUnsent = (error: RpcError): boolean =>
  !error.maybeExecuted && error.code === Status.UNAVAILABLE;
