import type { MessageCodec, MessageType } from '../rpc/service.js';
import { formatJson, parseJson } from './safe-json.js';
import type { Serialization } from './serialization.js';

/**
 * JSON. A type described by a .proto is written as proto3 JSON, any other as `JSON.stringify` does; an undefined
 * message arrives as null. Bigints are refused, not rounded. See `parseJson` for what is refused or dropped on reading.
 */
export const json: Serialization = {
  name: 'json',
  subtype: 'json',
  codecFor: (type) => type.codecs?.json ?? plainJson(type),
};

const plainJson = (type: MessageType): MessageCodec => ({
  encode: (message) => formatJson(message, type.name),
  decode: (bytes) => parseJson(bytes, type.name),
  decodeWithin: (bytes, limit) => parseJson(bytes, type.name, limit),
});
