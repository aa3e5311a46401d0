import { textOf } from '../../rpc/error.js';
import { HpackError } from './hpack-error.js';
import { ConnectionError, ErrorCode } from './protocol.js';

export const protocolError = (text: string) => new ConnectionError(ErrorCode.PROTOCOL_ERROR, text);

export const frameSize = (what: string) =>
  new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `${what} of a wrong length`);

/** What ends a connection (RFC 9113, 5.4.1). `cause` is set for what is our own fault. */
export function asConnectionError(reason: unknown): ConnectionError {
  if (reason instanceof ConnectionError) return reason;
  if (reason instanceof HpackError) return new ConnectionError(ErrorCode[reason.code], reason.message);
  return new ConnectionError(ErrorCode.INTERNAL_ERROR, textOf(reason), { cause: reason });
}

/** 3.4: what speaks something else is told so, and not what its bytes would mean in HTTP/2. */
export const notHttp2 = (error: ConnectionError) =>
  error.code === ErrorCode.FRAME_SIZE_ERROR
    ? new ConnectionError(ErrorCode.PROTOCOL_ERROR, `the peer does not speak HTTP/2 (${error.message})`)
    : error;
