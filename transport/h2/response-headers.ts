import { acceptEncoding } from '../../codec/compression.js';
import type { CompressionName } from '../../rpc/compression.js';
import type { Metadata } from '../../rpc/metadata.js';
import { addMetadata, listBytes } from './headers.js';
import type { HpackEncoder } from './hpack-encoder.js';
import { PreparedBlock } from './hpack-prepared.js';
import { tooLarge } from './trailers.js';

/** The blocks of headers that most responses of a connection share, ready after the first of them. */
export class ResponseHeaders {
  readonly #encoder: HpackEncoder;
  readonly #byContentType: Record<CompressionName, Map<string, PreparedBlock>> = {
    identity: new Map(),
    gzip: new Map(),
  };
  readonly #okTrailers: PreparedBlock;

  constructor(encoder: HpackEncoder) {
    this.#encoder = encoder;
    this.#okTrailers = new PreparedBlock(encoder, ['grpc-status', '0']);
  }

  /** @throws RpcError for more than `maxBytes`, what the client takes */
  header(
    contentType: string,
    compression: CompressionName,
    metadata: Metadata | undefined,
    maxBytes: number,
  ): Buffer {
    if (metadata && metadata.size > 0) {
      const fields = fieldsOf(contentType, compression);
      addMetadata(fields, metadata);
      const bytes = listBytes(fields);
      if (bytes > maxBytes) throw tooLarge('header', bytes, maxBytes);
      return this.#encoder.encode(fields);
    }
    const blocks = this.#byContentType[compression];
    let block = blocks.get(contentType);
    if (!block) {
      block = new PreparedBlock(this.#encoder, fieldsOf(contentType, compression));
      blocks.set(contentType, block);
    }
    return block.encode();
  }

  /** Trailers of a call that went well and has no more to say. */
  okTrailers(): Buffer {
    return this.#okTrailers.encode();
  }
}

function fieldsOf(contentType: string, compression: CompressionName): string[] {
  const fields = [':status', '200', 'content-type', contentType, 'grpc-accept-encoding', acceptEncoding];
  if (compression !== 'identity') fields.push('grpc-encoding', compression);
  return fields;
}
