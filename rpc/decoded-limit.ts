import { RpcError } from './error.js';
import { Status } from './status.js';

/** How much memory the messages that a client or a server takes may need, each, once it is decoded. */
export interface DecodedLimit {
  /** Bytes of heap, as a codec estimates them before it decodes. */
  readonly bytes: number;
  /** Whose option `maxDecodedBytes` it is. */
  readonly side: 'client' | 'server';
}

/** A number takes one byte on the wire and 8 in an array; the rest is room for records and maps. */
const DEFAULT_FACTOR = 16;

export const defaultDecodedBytes = (maxMessageBytes: number): number => DEFAULT_FACTOR * maxMessageBytes;

/**
 * The refusal of a message that would take too much once it is decoded.
 * @param what the type of the message
 * @param price the estimate when it passed the limit: the rest of the message is not looked at
 */
export const tooLargeDecoded = (
  what: string,
  wireBytes: number,
  price: number,
  limit: DecodedLimit,
): RpcError =>
  new RpcError(
    Status.RESOURCE_EXHAUSTED,
    `${what}: a message of ${wireBytes} bytes would take ${price} bytes of memory or more once decoded; ` +
      `at most ${limit.bytes} are taken (maxDecodedBytes of the ${limit.side})`,
  );
