import { RpcError } from './error.js';
import type { Metadata } from './metadata.js';
import { Status } from './status.js';

/**
 * In the trailer of a call that its server has refused before the handler saw it, with the value `1`: it may be sent
 * again, to another node, whatever it does.
 */
export const NOT_EXECUTED = 'lictor-not-executed';

/** A server's error that says by its trailer that the call has not run: clients may send it again, whatever it does. */
export const refusal = (text: string, code: Status = Status.RESOURCE_EXHAUSTED): RpcError =>
  new RpcError(code, text, { metadata: { [NOT_EXECUTED]: '1' }, maybeExecuted: false });

/** A server's error for a call whose method it does not have. */
export const unknownMethod = (path: string): RpcError =>
  refusal(`the server does not implement the method ${path.slice(0, 256)}`, Status.UNIMPLEMENTED);

/** On errors that came with the mark: those that this side makes of what it cannot send look alike otherwise. */
const MARKED = Symbol.for('lictor.refused');

/** A server has said that it does not have the method of a call, and has not run it. Another node may have it. */
export const isMissingMethod = (error: RpcError): boolean =>
  error.code === Status.UNIMPLEMENTED && MARKED in error;

/**
 * The error that a server has answered with. What it says of not having run the call is in `maybeExecuted` and no more
 * in the metadata: a handler that passes the error on to its own client has run.
 * @param trailer is the error's own from now on
 * @param hadBegun the server has sent a header before: then it cannot take back that the call may have run
 */
export function receivedError(code: Status, details: string, trailer: Metadata, hadBegun: boolean): RpcError {
  const isRefused = trailer.get(NOT_EXECUTED) === '1';
  if (isRefused) trailer.delete(NOT_EXECUTED);
  const error = new RpcError(code, details, { metadata: trailer, maybeExecuted: hadBegun || !isRefused });
  if (!error.maybeExecuted) Object.defineProperty(error, MARKED, { value: true });
  return error;
}

/** The error of a call that a server may have run, whatever the error itself says. */
export function mayHaveRun(error: RpcError): RpcError {
  if (error.maybeExecuted) return error;
  const { code, details, metadata, cause } = error;
  return new RpcError(code, details, { cause: cause ?? error, metadata, maybeExecuted: true });
}
