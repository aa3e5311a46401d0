import type { MessageCodec, MessageType } from '../rpc/service.js';

/**
 * A way of writing messages as bytes. A custom one is a value of this type:
 *
 *     const cbor: Serialization = { name: 'cbor', subtype: 'cbor', codecFor: () => ({ encode, decode }) };
 */
export interface Serialization {
  /** What users call it: `protobuf`. */
  readonly name: string;
  /** What follows `application/grpc+` in the content type: `proto`. */
  readonly subtype: string;
  /**
   * The codec of one type, asked for once per method and not per call.
   * @throws RpcError UNIMPLEMENTED when this serialization cannot write messages of that type
   */
  codecFor(type: MessageType): MessageCodec;
}
