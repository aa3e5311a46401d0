import type { Server } from '@grpc/grpc-js';
import { formatTimeout, parseTimeout } from '../../rpc/deadline.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';

/** Where a call's content type stands in its metadata. No peer can set it: it is overwritten for every call. */
export const CONTENT_TYPE_KEY = 'lictor-content-type';

type Headers = Record<string, string | string[] | undefined>;
type WithCheck = { _verifyContentType?: (stream: unknown, headers: Headers) => boolean };

const TIMEOUT = 'grpc-timeout';

/**
 * Lets handlers see the content type, which grpc-js checks and then hides, and gives grpc-js a time-out that it can
 * read: it takes "-1S" for a second, and of 25 days it makes a negative number. Its check of headers is wrapped (it is
 * not public, which is why its absence is an error at start and not a wrong codec later).
 */
export function wrapRequestHeaders(server: Server): void {
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
    const timeout = headers[TIMEOUT];
    if (timeout !== undefined) {
      const ms = parseTimeout(String(timeout));
      // What grpc-js cannot read fails the call.
      headers[TIMEOUT] = ms === undefined ? 'malformed' : formatTimeout(ms);
    }
    return check.call(this, stream, headers);
  };
}
