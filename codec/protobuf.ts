import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';
import type { Serialization } from './serialization.js';

/** Protocol Buffers, for methods whose types come from a .proto: see `messageTypeOf` for how messages look. */
export const protobuf: Serialization = {
  name: 'protobuf',
  subtype: 'proto',
  codecFor(type) {
    const codec = type.codecs?.protobuf;
    if (codec) return codec;
    throw new RpcError(
      Status.UNIMPLEMENTED,
      `${type.name}: protobuf cannot write it, since it was defined without a .proto; use json or msgpack`,
      { maybeExecuted: false },
    );
  },
};
