import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';

/** The header of a reply names its compression. */
export const compressionTooLate = () =>
  new RpcError(
    Status.FAILED_PRECONDITION,
    'compression is to be set before the header, or first reply, is sent',
  );
