import type pb from 'protobufjs';
import { RpcError, textOf } from '../rpc/error.js';
import { lazily } from '../rpc/lazily.js';
import type { MessageCodec, MessageType } from '../rpc/service.js';
import { Status } from '../rpc/status.js';
import { jsonExtraOf } from './protobuf-costs.js';
import { poisonDropperOf } from './protobuf-poison.js';
import { preparerOf } from './protobuf-prepare.js';
import { priceCheckOf } from './protobuf-price.js';
import { written } from './protobuf-writer.js';
import { protojson } from './protobufjs.js';
import { formatJson, parseJson } from './safe-json.js';

const known = new WeakMap<pb.Type, MessageType>();

/**
 * A protobufjs type as a message type, with a protobuf and a proto3 JSON codec, compiled at their first use.
 *
 * Decoded messages are plain objects under lowerCamelCase names: 64-bit integers are bigints, bytes are Buffers (views
 * of what was decoded), enums are numbers, absent fields have their proto3 default, absent submessages are null, and
 * absent `optional` fields and oneof members are left out. Encoded are plain objects with any of the fields; enums may
 * be named, a safe integer may stand for a bigint, undefined and null mean absent. Unknown fields are ignored both ways.
 * An entry `__proto__` of a map with string keys is dropped on reading.
 *
 * Errors: INVALID_ARGUMENT that names message, field and value for what does not fit, INTERNAL for malformed bytes.
 */
export function messageTypeOf(type: pb.Type): MessageType {
  let found = known.get(type);
  if (!found) {
    const name = type.fullName.slice(1);
    found = { name, codecs: { protobuf: wireCodec(type, name), json: jsonCodec(type, name) } };
    known.set(type, found);
  }
  return found;
}

function wireCodec(type: pb.Type, name: string): MessageCodec {
  const prepare = preparerOf(type);
  const toPlain = lazily(() => plainMaker(type));
  const checkPrice = lazily(() => priceCheckOf(type));
  const decode = (bytes: Uint8Array) => {
    try {
      // protobufjs reads strings much faster from a Buffer than from another Uint8Array.
      const buffer = Buffer.isBuffer(bytes)
        ? bytes
        : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      return toPlain()(type.decode(buffer));
    } catch (cause) {
      throw new RpcError(Status.INTERNAL, `${name}: malformed protobuf: ${textOf(cause)}`, { cause });
    }
  };
  return {
    encode(message) {
      return written(type, prepare(message, 0));
    },
    decode,
    decodeWithin(bytes, limit) {
      checkPrice()(bytes, name, limit);
      return decode(bytes);
    },
  };
}

function jsonCodec(type: pb.Type, name: string): MessageCodec {
  const prepare = preparerOf(type);
  const toPlain = lazily(() => plainMaker(type));
  const extra = lazily(() => jsonExtraOf(type));
  const read = (value: unknown) => {
    try {
      return toPlain()(protojson().fromJson(type, value, { ignoreUnknownFields: true }));
    } catch (cause) {
      throw new RpcError(Status.INTERNAL, `${name}: malformed json: ${textOf(cause).slice(0, 200)}`, {
        cause,
      });
    }
  };
  return {
    encode(message) {
      const prepared = prepare(message, 0);
      try {
        return formatJson(protojson().toJson(type, prepared), name);
      } catch (cause) {
        if (cause instanceof RpcError) throw cause;
        throw new RpcError(Status.INVALID_ARGUMENT, `${name}: ${textOf(cause)}`, {
          cause,
          maybeExecuted: false,
        });
      }
    },
    decode: (bytes) => read(parseJson(bytes, name)),
    decodeWithin: (bytes, limit) => read(parseJson(bytes, name, limit, extra())),
  };
}

type ToPlain = (message: pb.Message) => unknown;

function plainMaker(type: pb.Type): ToPlain {
  const dropPoison = poisonDropperOf(type);
  const options: pb.IConversionOptions = { defaults: true, longs: BigInt };
  if (!dropPoison) return (message) => type.toObject(message, options);
  return (message) => {
    const plain = type.toObject(message, options);
    dropPoison(plain);
    return plain;
  };
}
