import type { Serialization } from '../codec/serialization.js';
import type { DecodedLimit } from '../rpc/decoded-limit.js';
import type { MessageCodec, Method } from '../rpc/service.js';

/** A method as one serialization puts it on the wire. Made once per method, used by every call. */
export interface WireMethod {
  readonly method: Method;
  /** `application/grpc+proto` */
  readonly contentType: string;
  readonly request: MessageCodec;
  readonly reply: MessageCodec;
}

const PREFIX = 'application/grpc';

/**
 * @param limit of what is read, on every transport; it may change while calls are in flight
 * @throws RpcError UNIMPLEMENTED when the serialization cannot write the method's messages
 */
export const wireMethod = (
  method: Method,
  serialization: Serialization,
  limit: DecodedLimit,
): WireMethod => ({
  method,
  contentType: `${PREFIX}+${serialization.subtype}`,
  request: bounded(serialization.codecFor(method.request), limit),
  reply: bounded(serialization.codecFor(method.reply), limit),
});

/** A codec of a user that has no `decodeWithin` knows by itself what it takes. */
const bounded = (codec: MessageCodec, limit: DecodedLimit): MessageCodec =>
  codec.decodeWithin
    ? {
        encode: (message) => codec.encode(message),
        decode: (bytes) => codec.decodeWithin!(bytes, limit),
      }
    : codec;

/** `proto` of `application/grpc+proto`; empty for plain `application/grpc`, undefined for what is not gRPC. */
export function subtypeOf(contentType: string): string | undefined {
  if (!contentType.startsWith(PREFIX)) return undefined;
  const rest = contentType.slice(PREFIX.length).split(';', 1)[0]!.trim();
  if (rest === '') return '';
  return rest.startsWith('+') ? rest.slice(1).toLowerCase() : undefined;
}
