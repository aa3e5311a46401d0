import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { WireMethod } from '../wire-method.js';
import { asBuffer } from './as-buffer.js';

/**
 * A request as bytes. Its size is checked here, since grpc-js says of one that is too large only that it is.
 * @throws RpcError RESOURCE_EXHAUSTED with both sizes, and what the codec throws
 */
export function requestBytes(wire: WireMethod, message: unknown, maxBytes: number): Buffer {
  const bytes = asBuffer(wire.request.encode(message));
  if (bytes.length <= maxBytes) return bytes;
  throw new RpcError(
    Status.RESOURCE_EXHAUSTED,
    `request of ${bytes.length} bytes, at most ${maxBytes} are sent (the client's maxMessageBytes)`,
    { maybeExecuted: false },
  );
}
