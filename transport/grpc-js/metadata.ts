import { Metadata as GrpcMetadata } from '@grpc/grpc-js';
import { Metadata } from '../../rpc/metadata.js';

export function fromGrpc(source: GrpcMetadata): Metadata {
  const metadata = new Metadata();
  for (const [key, values] of Object.entries(source.toJSON())) {
    for (const value of values) metadata.addReceived(key, value);
  }
  return metadata;
}

export function toGrpc(source: Metadata | undefined, target = new GrpcMetadata()): GrpcMetadata {
  if (source)
    for (const [key, value] of source)
      target.add(key, typeof value === 'string' ? value : Buffer.from(value));
  return target;
}

const CONTENT_TYPE = 'content-type';

/**
 * grpc-js writes `content-type: application/grpc` over whatever a call asks for, and so cannot say `+json`. The
 * headers that it makes of this metadata keep theirs: the key has a getter, and a setter that does nothing.
 * grpc-js clones metadata on its way, so a clone is one of these too.
 */
export class TypedMetadata extends GrpcMetadata {
  readonly #contentType: string;

  constructor(contentType: string) {
    super();
    this.#contentType = contentType;
  }

  override clone(): GrpcMetadata {
    const copy = new TypedMetadata(this.#contentType);
    copy.merge(this);
    copy.setOptions(this.getOptions());
    return copy;
  }

  override toHttp2Headers(): ReturnType<GrpcMetadata['toHttp2Headers']> {
    const contentType = this.#contentType;
    return Object.defineProperty(super.toHttp2Headers(), CONTENT_TYPE, {
      enumerable: true,
      get: () => contentType,
      set() {},
    });
  }
}
