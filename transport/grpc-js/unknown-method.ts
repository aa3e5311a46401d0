import type { Server, StatusObject } from '@grpc/grpc-js';
import { unknownMethod } from '../../rpc/not-executed.js';
import { Status } from '../../rpc/status.js';
import { toGrpc } from './metadata.js';

type Answering = { _respondWithError?: (error: Partial<StatusObject>, ...rest: unknown[]) => void };

/**
 * Has a server say, where it does not have a method, that the call has not run. grpc-js answers these calls itself, in a
 * function that is not public; without it, only the mark is missing.
 */
export function markUnknownMethods(server: Server): void {
  const open = server as unknown as Answering;
  const respond = open._respondWithError;
  if (typeof respond !== 'function') return;
  const { metadata } = unknownMethod('');
  open._respondWithError = function (error, ...rest) {
    const isUnknown = error.code === Status.UNIMPLEMENTED;
    respond.call(this, isUnknown ? { ...error, metadata: toGrpc(metadata) } : error, ...rest);
  };
}
