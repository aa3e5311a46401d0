import type { StatusObject } from '@grpc/grpc-js';
import { RpcError } from '../../rpc/error.js';
import { Status, statusFrom } from '../../rpc/status.js';
import { fromGrpc } from './metadata.js';

/** Details of grpc-js for calls that never had a connection. Every other text counts as "may have run". */
const NEVER_SENT = /^(No connection established|Channel closed before call started|Name resolution failed)/;

/** Details of grpc-js for a stream that was reset as cancelled, though not from this side: a server that was cut off. */
const RESET = 'Call cancelled';

/** For a call that was not cancelled from this side. */
export function errorFrom(status: StatusObject, address: string): RpcError {
  const code = statusFrom(status.code);
  if (code === Status.CANCELLED && status.details === RESET)
    return new RpcError(Status.UNAVAILABLE, `the server at ${address} dropped the call`);
  const neverSent = code === Status.UNAVAILABLE && NEVER_SENT.test(status.details);
  return new RpcError(code, neverSent ? `no connection to ${address}: ${status.details}` : status.details, {
    metadata: fromGrpc(status.metadata),
    maybeExecuted: !neverSent,
  });
}
