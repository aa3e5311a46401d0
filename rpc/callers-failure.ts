import type { RpcError } from './error.js';

const failures = new WeakSet<RpcError>();

/** Notes that a call has failed by its caller's own requests, whatever the status. @returns the error */
export function callersFailure(error: RpcError): RpcError {
  failures.add(error);
  return error;
}

/** Whether a call has failed by its caller's own requests, which says nothing of its node. */
export const isCallersFailure = (error: RpcError): boolean => failures.has(error);
