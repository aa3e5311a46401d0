import { Status } from '../../rpc/status.js';
import { ErrorCode, errorName } from './protocol.js';

/** RFC 9113, 7, and gRPC's mapping: what a reset means to the call that it ended. */
export function statusOfReset(code: number): Status {
  switch (code) {
    case ErrorCode.REFUSED_STREAM:
      return Status.UNAVAILABLE;
    case ErrorCode.CANCEL:
      return Status.CANCELLED;
    case ErrorCode.ENHANCE_YOUR_CALM:
      return Status.RESOURCE_EXHAUSTED;
    case ErrorCode.INADEQUATE_SECURITY:
      return Status.PERMISSION_DENIED;
    default:
      return Status.INTERNAL;
  }
}

export const resetText = (code: number) => `the stream was reset with ${errorName(code)}`;
