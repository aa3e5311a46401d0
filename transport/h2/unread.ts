import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';

/** What a message takes beside its bytes, about: a buffer's own object, its place in a list, its flag. */
const OVERHEAD_BYTES = 128;

/** What a message that has come and was not read counts in the budget. An empty one is not free. */
export const unreadBytes = (message: Uint8Array): number => message.length + OVERHEAD_BYTES;

/** The message without the chunk of the socket that it came in, unless it is most of that. */
export const withoutChunk = (message: Uint8Array): Uint8Array =>
  message.length * 2 < message.buffer.byteLength ? Buffer.from(message) : message;

export const tooMuchUnread = () =>
  new RpcError(Status.RESOURCE_EXHAUSTED, 'too many bytes of unread messages are held');
