import { json } from '../../codec/json.js';
import { msgpack } from '../../codec/msgpack.js';
import { protobuf } from '../../codec/protobuf.js';
import type { Serialization } from '../../codec/serialization.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { serializationContract } from '../contract/serialization.js';
import { typeM } from './proto-text.js';

const plain = { name: 'a plain type' };
const described = typeM(
  'message M { string name = 1; int32 count = 2; repeated string list = 3; map<string, M> inner = 15; }',
);
const innerEntry = (key: string) => {
  const name = Buffer.from(key);
  return Buffer.concat([
    Buffer.from([0x7a, name.length + 4, 0x0a, name.length]),
    name,
    Buffer.from([0x12, 0x00]),
  ]);
};

serializationContract('protobuf', {
  serialization: protobuf,
  type: typeM('message M { string name = 1; int32 count = 2; repeated string list = 3; }'),
  malformed: Buffer.from('0a05', 'hex'),
  unwritable: { name: 5 },
  poisoned: Buffer.from('0a0141', 'hex'),
});

const cyclic: Record<string, unknown> = {};
cyclic.self = cyclic;

serializationContract('json', {
  serialization: json,
  type: plain,
  malformed: Buffer.from('{"name":'),
  unwritable: { name: 5n },
  poisoned: Buffer.from('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'),
});

serializationContract('proto3 json', {
  serialization: json,
  type: typeM('message M { string name = 1; int32 count = 2; repeated string list = 3; }'),
  malformed: Buffer.from('{"name":5}'),
  unwritable: { name: 5 },
  poisoned: Buffer.from('{"__proto__":{"polluted":1}}'),
});

serializationContract('msgpack', {
  serialization: msgpack,
  type: plain,
  malformed: Buffer.from('81a1', 'hex'),
  unwritable: cyclic,
  poisoned: Buffer.concat([
    Buffer.from([0x81, 0xa9]),
    Buffer.from('__proto__'),
    Buffer.from([0x81, 0xa8]),
    Buffer.from('polluted'),
    Buffer.from([1]),
  ]),
});

serializationContract('protobuf with a map', {
  serialization: protobuf,
  type: {
    name: 'without the map',
    codecs: {
      protobuf: {
        encode: (message) => described.codecs!.protobuf!.encode(message),
        decode(bytes) {
          const { inner, ...rest } = described.codecs!.protobuf!.decode(bytes) as { inner: object };
          return { ...rest, ...inner };
        },
      },
    },
  },
  malformed: Buffer.from('7a02', 'hex'),
  unwritable: { inner: { a: 1 } },
  poisoned: innerEntry('__proto__'),
});

/** As a user would write one. */
const lines: Serialization = {
  name: 'lines',
  subtype: 'lines',
  codecFor: (type) => ({
    encode(message) {
      const { name, count, list } = message as { name: string; count: number; list: string[] };
      if (typeof name !== 'string') throw new RpcError(Status.INVALID_ARGUMENT, `${type.name}: no name`);
      return Buffer.from([name, String(count), ...list].map(encodeURIComponent).join('\n'));
    },
    decode(bytes) {
      try {
        const [name, count, ...list] = Buffer.from(bytes).toString().split('\n').map(decodeURIComponent);
        if (name === undefined || count === undefined) throw new RangeError('too few lines');
        return { name, count: Number(count), list };
      } catch (cause) {
        throw new RpcError(Status.INTERNAL, `${type.name}: malformed lines`, { cause });
      }
    },
  }),
};

serializationContract('a custom one', {
  serialization: lines,
  type: plain,
  malformed: Buffer.from('only one line'),
  unwritable: {},
  poisoned: Buffer.from('__proto__\n1'),
});
