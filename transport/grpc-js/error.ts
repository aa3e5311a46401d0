import type { StatusObject } from '@grpc/grpc-js';
import { RpcError } from '../../rpc/error.js';
import { Status, statusFrom } from '../../rpc/status.js';
import { fromGrpc } from './metadata.js';

/** Details of grpc-js for calls that never had a connection. Every other text counts as "may have run". */
const NEVER_SENT = /^(No connection established|Channel closed before call started|Name resolution failed)/;

export function errorFrom(status: StatusObject, address: string): RpcError {
  const code = statusFrom(status.code);
  const neverSent = code === Status.UNAVAILABLE && NEVER_SENT.test(status.details);
  return new RpcError(code, neverSent ? `no connection to ${address}: ${status.details}` : status.details, {
    metadata: fromGrpc(status.metadata),
    maybeExecuted: !neverSent,
  });
}
