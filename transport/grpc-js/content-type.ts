import type { Server } from '@grpc/grpc-js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';

/** Where a call's content type stands in its metadata. No peer can set it: it is overwritten for every call. */
export const CONTENT_TYPE_KEY = 'lictor-content-type';

type Headers = Record<string, string | string[] | undefined>;
type WithCheck = { _verifyContentType?: (stream: unknown, headers: Headers) => boolean };

/**
 * Lets handlers see the content type, which grpc-js checks and then hides. Its check is wrapped (it is not public,
 * which is why its absence is an error at start and not a wrong codec later).
 */
export function exposeContentType(server: Server): void {
  const open = server as unknown as WithCheck;
  const check = open._verifyContentType;
  if (typeof check !== 'function') {
    throw new RpcError(
      Status.INTERNAL,
      'this version of @grpc/grpc-js hides the content type of calls; use one that Lictor was tested with',
    );
  }
  open._verifyContentType = function (stream, headers) {
    headers[CONTENT_TYPE_KEY] = headers['content-type'];
    return check.call(this, stream, headers);
  };
}
