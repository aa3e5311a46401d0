import { acceptEncoding } from '../../codec/compression.js';
import type { Metadata } from '../../rpc/metadata.js';
import type { CompressionName } from '../transport.js';
import { addMetadata } from './headers.js';
import type { HpackEncoder } from './hpack-encoder.js';
import { PreparedBlock } from './hpack-prepared.js';

/** The blocks of headers that most responses of a connection share, ready after the first of them. */
export class ResponseHeaders {
  readonly #encoder: HpackEncoder;
  readonly #compression: CompressionName;
  readonly #byContentType = new Map<string, PreparedBlock>();
  readonly #okTrailers: PreparedBlock;

  constructor(encoder: HpackEncoder, compression: CompressionName) {
    this.#encoder = encoder;
    this.#compression = compression;
    this.#okTrailers = new PreparedBlock(encoder, ['grpc-status', '0']);
  }

  header(contentType: string, metadata: Metadata | undefined): Buffer {
    if (metadata && metadata.size > 0) {
      const fields = this.#fields(contentType);
      addMetadata(fields, metadata);
      return this.#encoder.encode(fields);
    }
    let block = this.#byContentType.get(contentType);
    if (!block) {
      block = new PreparedBlock(this.#encoder, this.#fields(contentType));
      this.#byContentType.set(contentType, block);
    }
    return block.encode();
  }

  /** Trailers of a call that went well and has no more to say. */
  okTrailers(): Buffer {
    return this.#okTrailers.encode();
  }

  #fields(contentType: string): string[] {
    const fields = [':status', '200', 'content-type', contentType, 'grpc-accept-encoding', acceptEncoding];
    if (this.#compression !== 'identity') fields.push('grpc-encoding', this.#compression);
    return fields;
  }
}
