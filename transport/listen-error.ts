import { RpcError, textOf } from '../rpc/error.js';
import { Status } from '../rpc/status.js';

/** Why a server could not listen, with what to do about it. */
export function listenError(address: string, reason: unknown): RpcError {
  const text = textOf(reason);
  const why = /EADDRINUSE/.test(text)
    ? 'the address is in use; stop what listens there, or take another port (port 0 takes a free one)'
    : /EADDRNOTAVAIL/.test(text)
      ? 'this machine has no such address'
      : /EACCES/.test(text)
        ? 'not allowed; ports below 1024 want privileges, a socket path wants a writable folder'
        : text;
  return new RpcError(Status.UNAVAILABLE, `cannot listen on ${address}: ${why}`, {
    cause: reason,
    maybeExecuted: false,
  });
}
