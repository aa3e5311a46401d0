import type { Encoder } from '@msgpack/msgpack';
import * as packages from '#packages';
import { type DecodedLimit, tooLargeDecoded } from '../rpc/decoded-limit.js';
import { RpcError, textOf } from '../rpc/error.js';
import { lazily } from '../rpc/lazily.js';
import type { MessageCodec, MessageType } from '../rpc/service.js';
import { Status } from '../rpc/status.js';
import { isCheapMsgpack, msgpackPrice } from './msgpack-price.js';
import { checkShape, MAX_DEPTH } from './msgpack-shape.js';
import type { Serialization } from './serialization.js';

/**
 * MessagePack. Numbers stay numbers and bigints stay bigints (64 bits): whole numbers beyond 32 bits travel as
 * floats, the int64 and uint64 formats are only for bigints, and what other languages send in them arrives as bigint.
 * Dates travel as timestamps, bytes as they are (a decoded one is a view of the message), undefined properties not at
 * all; an undefined message arrives as null, and -0 as 0, as in JSON. Other extension types, nesting beyond 64 and the key `__proto__` are refused.
 */
export const msgpack: Serialization = {
  name: 'msgpack',
  subtype: 'msgpack',
  codecFor: (type) => type.codecs?.msgpack ?? plainMsgpack(type),
};

/** With the first message, since loading the package delays the start of programs that speak something else. */
const coders = lazily(() => {
  const { Decoder, Encoder } = packages.msgpack();
  const encoder = new Encoder({ useBigInt64: true, ignoreUndefined: true, maxDepth: MAX_DEPTH + 1 });
  refuseWideBigints(encoder);
  return { encoder, decoder: new Decoder({ useBigInt64: true }) };
});

const plainMsgpack = (type: MessageType): MessageCodec => ({
  encode(message) {
    try {
      return coders().encoder.encode(message);
    } catch (cause) {
      const why = textOf(cause);
      throw new RpcError(Status.INVALID_ARGUMENT, `${type.name}: ${why}`, { cause, maybeExecuted: false });
    }
  },
  decode: (bytes) => decoded(bytes, type.name),
  decodeWithin(bytes, limit) {
    if (!isCheapMsgpack(bytes.length, limit.bytes)) checkPrice(bytes, type.name, limit);
    return decoded(bytes, type.name);
  },
});

function decoded(bytes: Uint8Array, what: string): unknown {
  try {
    checkShape(bytes);
    return coders().decoder.decode(bytes);
  } catch (cause) {
    throw new RpcError(Status.INTERNAL, `${what}: malformed msgpack: ${textOf(cause)}`, { cause });
  }
}

function checkPrice(bytes: Uint8Array, what: string, limit: DecodedLimit): void {
  const price = msgpackPrice(bytes, limit.bytes);
  if (price > limit.bytes) throw tooLargeDecoded(what, bytes.length, price, limit);
}

/** The library writes the low 64 bits of a wider bigint, another number; this puts a check before its own method. */
function refuseWideBigints(target: Encoder): void {
  const inner = target as unknown as { encodeBigInt64(value: bigint): void };
  const write = inner.encodeBigInt64.bind(target);
  inner.encodeBigInt64 = (value) => {
    if (value >= 0n ? BigInt.asUintN(64, value) !== value : BigInt.asIntN(64, value) !== value) {
      throw new RangeError(`the bigint ${value.toString().slice(0, 40)} needs more than 64 bits`);
    }
    write(value);
  };
}
