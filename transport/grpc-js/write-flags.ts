import { type CompressionName, isUncompressed } from '../../rpc/compression.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { ConnectOptions, OutgoingCall } from '../transport.js';

/** `WriteFlags.NoCompress`, a const enum, of which nothing can be imported. */
const NO_COMPRESS = 2;

/** How a message goes out on a channel that compresses, or does not. */
export function writeFlags(call: OutgoingCall, message: unknown): { flags?: number } {
  return call.compression === 'identity' || isUncompressed(message) ? { flags: NO_COMPRESS } : {};
}

/** A channel has one compression; single calls and messages can do without it, and not with another. @throws RpcError */
export function checkCompression({ compression }: OutgoingCall, options: ConnectOptions): void {
  if (compression === undefined || compression === 'identity' || compression === options.compression) return;
  throw new RpcError(
    Status.UNIMPLEMENTED,
    `compression '${compression}' for one call: grpc-js compresses only in a client that has it as its own option`,
    { maybeExecuted: false },
  );
}

export const repliesAreNotCompressed = (name: CompressionName) =>
  new RpcError(Status.UNIMPLEMENTED, `compression of replies: grpc-js has only 'identity', got '${name}'`);
