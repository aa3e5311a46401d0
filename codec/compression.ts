import { RpcError, textOf } from '../rpc/error.js';
import { lazily } from '../rpc/lazily.js';
import { nodeRequire } from '../rpc/node-require.js';
import { Status } from '../rpc/status.js';

const zlib = lazily((): typeof import('node:zlib') => nodeRequire('node:zlib'));

/**
 * A message that inflates to more than this may be at most `MAX_RATIO` times its compressed size. The interop tests of
 * gRPC send 271,828 zero bytes, of which gzip makes 1,237.
 */
const FREE_BYTES = 1024 * 1024;
const MAX_RATIO = 100;

/** What so many compressed bytes may inflate to. Senders keep to it too, lest they be refused. */
const mostInflated = (compressedBytes: number): number => Math.max(FREE_BYTES, compressedBytes * MAX_RATIO);

/** A way of making messages smaller, under its name in `grpc-encoding`. */
export interface Compression {
  readonly name: string;
  /** Undefined for what its receiver would refuse to inflate: that is sent as it is. */
  compress(bytes: Uint8Array): Uint8Array | undefined;
  /**
   * Refuses while inflating what would be over `maxBytes`, or over 1 MiB and over 100 times the compressed size.
   * @throws RpcError RESOURCE_EXHAUSTED when over a limit, INTERNAL for malformed data
   */
  decompress(bytes: Uint8Array, maxBytes: number): Uint8Array;
}

const identity: Compression = {
  name: 'identity',
  compress: (bytes) => bytes,
  decompress(bytes, maxBytes) {
    if (bytes.length > maxBytes) {
      throw new RpcError(
        Status.RESOURCE_EXHAUSTED,
        `message of ${bytes.length} bytes, at most ${maxBytes} are taken`,
      );
    }
    return bytes;
  },
};

const gzip: Compression = {
  name: 'gzip',
  // Level 1: RPC messages gain little from more, and it runs on the event loop.
  compress(bytes) {
    const compressed = zlib().gzipSync(bytes, { level: 1 });
    return bytes.length > mostInflated(compressed.length) ? undefined : compressed;
  },
  decompress(bytes, maxBytes) {
    const maxOutputLength = Math.max(1, Math.min(maxBytes, mostInflated(bytes.length)));
    try {
      return zlib().gunzipSync(bytes, { maxOutputLength });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') {
        throw new RpcError(Status.INTERNAL, `malformed gzip: ${textOf(cause)}`, { cause });
      }
      const why = maxOutputLength < maxBytes ? ` (${MAX_RATIO} times its size)` : '';
      throw new RpcError(
        Status.RESOURCE_EXHAUSTED,
        `message of ${bytes.length} compressed bytes inflates to more than ${maxOutputLength}${why}`,
        { cause },
      );
    }
  },
};

const COMPRESSIONS: readonly Compression[] = [identity, gzip];

/** What `grpc-accept-encoding` says. */
export const acceptEncoding = COMPRESSIONS.map(({ name }) => name).join(',');

/**
 * The compression of that name.
 * @throws RpcError UNIMPLEMENTED that lists the known names
 */
export function compressionNamed(name: string): Compression {
  const found = findCompression(name);
  if (found) return found;
  throw new RpcError(Status.UNIMPLEMENTED, unknownCompression(name), { maybeExecuted: false });
}

export const findCompression = (name: string): Compression | undefined =>
  COMPRESSIONS.find((compression) => compression.name === name);

export const unknownCompression = (name: string): string =>
  `compression ${JSON.stringify(name.slice(0, 64))} is not known; there are: ${acceptEncoding.replace(',', ', ')}`;

/** Of one call; undefined is what its client has. @throws RpcError as `compressionNamed` does */
export function checkCompression(name: string | undefined): void {
  if (name !== undefined) compressionNamed(name);
}
