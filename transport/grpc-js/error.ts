import type { StatusObject } from '@grpc/grpc-js';
import { RpcError } from '../../rpc/error.js';
import { Status, statusFrom } from '../../rpc/status.js';
import { fromGrpc } from './metadata.js';

/** Details of grpc-js for calls that never had a connection. Every other text counts as "may have run". */
const NEVER_SENT = /^(No connection established|Channel closed before call started|Name resolution failed)/;

/** The text of grpc-js for its own deadline; what follows tells a call that still waited for its connection. */
const LATE = /^Deadline exceeded( after |$)/;
const WAITED = /waiting for /i;

/** The text of grpc-js for calls whose connection broke; it does not say to whom. */
const DROPPED = 'Connection dropped';

/** Details of grpc-js for a stream that was reset as cancelled, though not from this side: a server that was cut off. */
const RESET = 'Call cancelled';

/** For a call that was not cancelled from this side. */
export function errorFrom(status: StatusObject, address: string): RpcError {
  const code = statusFrom(status.code);
  if (code === Status.CANCELLED && status.details === RESET)
    return new RpcError(Status.UNAVAILABLE, `the server at ${address} dropped the call`);
  const neverSent = code === Status.UNAVAILABLE && NEVER_SENT.test(status.details);
  const dropped = code === Status.UNAVAILABLE && status.details === DROPPED;
  // A note on the resolution is announced even when there is none.
  const details = status.details.replace(/\.? Resolution note: $/, '');
  const late = code === Status.DEADLINE_EXCEEDED && LATE.test(status.details);
  const text = neverSent
    ? `no connection to ${address}: ${details}`
    : dropped
      ? `the connection to ${address} was lost during the call`
      : late
        ? `no reply within the time-out from ${address}`
        : status.details;
  return new RpcError(code, text, {
    metadata: fromGrpc(status.metadata),
    maybeExecuted: !neverSent && !(late && WAITED.test(status.details)),
  });
}
