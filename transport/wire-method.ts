import type { Serialization } from '../codec/serialization.js';
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

/** @throws RpcError UNIMPLEMENTED when the serialization cannot write the method's messages */
export const wireMethod = (method: Method, serialization: Serialization): WireMethod => ({
  method,
  contentType: `${PREFIX}+${serialization.subtype}`,
  request: serialization.codecFor(method.request),
  reply: serialization.codecFor(method.reply),
});

/** `proto` of `application/grpc+proto`; empty for plain `application/grpc`, undefined for what is not gRPC. */
export function subtypeOf(contentType: string): string | undefined {
  if (!contentType.startsWith(PREFIX)) return undefined;
  const rest = contentType.slice(PREFIX.length).split(';', 1)[0]!.trim();
  if (rest === '') return '';
  return rest.startsWith('+') ? rest.slice(1).toLowerCase() : undefined;
}
