import type { Metadata as GrpcMetadata } from '@grpc/grpc-js';
import { lazily } from '../../rpc/lazily.js';
import { Metadata } from '../../rpc/metadata.js';
import { grpc } from './package.js';

export function fromGrpc(source: GrpcMetadata): Metadata {
  const metadata = new Metadata();
  for (const [key, values] of Object.entries(source.toJSON())) {
    for (const value of values) metadata.addReceived(key, value);
  }
  return metadata;
}

export function toGrpc(
  source: Metadata | undefined,
  target: GrpcMetadata = new (grpc().Metadata)(),
): GrpcMetadata {
  if (!source) return target;
  for (const [key, value] of source) {
    if (typeof value !== 'string') target.add(key, Buffer.from(value));
    else if (ONCE.has(key) && target.get(key).length > 0) target.set(key, `${target.get(key)[0]}, ${value}`);
    else target.add(key, value);
  }
  return target;
}

/**
 * Node's HTTP/2 throws for two of these, upon which grpc-js gives up its connection, makes another and tries again until
 * the deadline. One line with a comma means the same (RFC 9110, 5.3).
 */
const ONCE = new Set(
  [
    'access-control-allow-credentials access-control-max-age access-control-request-method age authorization',
    'content-encoding content-language content-location content-md5 content-range date dnt etag expires from',
    'if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards',
    'proxy-authorization range referer retry-after tk upgrade-insecure-requests x-content-type-options',
  ].flatMap((line) => line.split(' ')),
);

const CONTENT_TYPE = 'content-type';

/**
 * grpc-js writes `content-type: application/grpc` over whatever a call asks for, and so cannot say `+json`. The
 * headers that it makes of this metadata keep theirs: the key has a getter, and a setter that does nothing.
 * grpc-js clones metadata on its way, so a clone is one of these too.
 */
export const typedMetadata = (contentType: string): GrpcMetadata => new (TypedMetadata())(contentType);

/** A class, made when there is one to extend. */
const TypedMetadata = lazily(() => {
  const { Metadata } = grpc();
  return class extends Metadata {
    readonly #contentType: string;

    constructor(contentType: string) {
      super();
      this.#contentType = contentType;
    }

    override clone(): GrpcMetadata {
      const copy = typedMetadata(this.#contentType);
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
  };
});
