import { join } from 'node:path';
import { json } from '../../codec/json.js';
import { jsonPrice, NO_EXTRA } from '../../codec/json-price.js';
import { msgpack } from '../../codec/msgpack.js';
import { msgpackPrice } from '../../codec/msgpack-price.js';
import { rootOfAll } from '../../codec/proto-file.js';
import { readProtos } from '../../codec/proto-source.js';
import { protobufPrice } from '../../codec/protobuf-price.js';
import { messageTypeOf } from '../../codec/protobuf-type.js';
import type { MessageCodec } from '../../rpc/service.js';
import { folderWith } from './proto-text.js';

// Messages of few bytes that take much memory once they are decoded, and ordinary ones. The bench measures them too.

export const PROTO = `syntax = "proto3";
package t;
import "google/protobuf/struct.proto";
message Empty {}
message Record { string name = 1; int32 count = 2; double price = 3; bool sold = 4; string note = 5; }
message Lists { repeated int32 a = 1; repeated int32 b = 2; map<string, int32> map = 3; }
message Longs { int64 a = 1; int64 b = 2; }
message Blobs { bytes a = 1; bytes b = 2; }
message M {
  repeated Empty empties = 1;
  repeated Record records = 2;
  repeated string texts = 3;
  repeated bytes blobs = 4;
  repeated int32 numbers = 5;
  repeated int64 longs = 6;
  repeated double doubles = 7;
  map<string, int32> by_name = 8;
  map<int32, int32> by_id = 9;
  map<string, Empty> empty_by_name = 10;
  M self = 11;
  repeated Lists lists = 12;
  repeated Longs long_pairs = 13;
  repeated Blobs blob_pairs = 14;
  string text = 15;
  bytes blob = 16;
  google.protobuf.Struct struct = 17;
  map<sint32, int32> by_zigzag = 18;
  map<fixed32, int32> by_fixed = 19;
  repeated fixed32 fixed = 20;
}
service S {
  rpc Call(M) returns (M);
  rpc Give(stream M) returns (M);
  rpc Take(M) returns (stream M);
  rpc Chat(stream M) returns (stream M);
}`;

export const protoFile = join(folderWith({ 'dear.proto': PROTO }), 'dear.proto');
export const typeM = rootOfAll(readProtos([protoFile])).lookupType('t.M');

/** A way of writing messages, and what it estimates; `NaN` for a limit that stops no estimate. */
export type Way = {
  readonly name: string;
  readonly codec: MessageCodec;
  price(bytes: Uint8Array, max: number): number;
};
const plain = { name: 't.M' };
export const proto: Way = {
  name: 'protobuf',
  codec: messageTypeOf(typeM).codecs!.protobuf!,
  price: (bytes, max) => protobufPrice(typeM, bytes, max),
};
export const packed: Way = { name: 'msgpack', codec: msgpack.codecFor(plain), price: msgpackPrice };
export const text: Way = {
  name: 'json',
  codec: json.codecFor(plain),
  price: (bytes, max) => jsonPrice(bytes, NO_EXTRA, max),
};

export type DearMessage = {
  readonly name: string;
  readonly way: Way;
  /** A message of about that many bytes. */
  make(bytes: number): Buffer;
  /** Whether 4 MiB of it are taken by default. */
  readonly taken: boolean;
};

const varint = (value: number): Buffer => {
  const bytes: number[] = [];
  let left = value;
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  return Buffer.from([...bytes, left]);
};
const tag = (field: number, wireType: number) => varint(field * 8 + wireType);
/** A field of texts, bytes or messages. */
export const sized = (field: number, content: Uint8Array = Buffer.alloc(0)): Buffer =>
  Buffer.concat([tag(field, 2), varint(content.length), content]);
const numeric = (field: number, value: number) => Buffer.concat([tag(field, 0), varint(value)]);

export const filled = (bytes: number, unit: Uint8Array): Buffer =>
  Buffer.alloc(Math.floor(bytes / unit.length) * unit.length, unit);

/** Pieces that differ, up to so many bytes. */
function series(bytes: number, piece: (i: number) => Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let i = 0, have = 0; ; i++) {
    const next = piece(i);
    have += next.length;
    if (have > bytes) return Buffer.concat(pieces);
    pieces.push(next);
  }
}

const key = (i: number) => i.toString(36).padStart(4, 'k');

function jsonList(bytes: number, item: (i: number) => string, first = ''): Buffer {
  const list = series(bytes - 2 - first.length, (i) => Buffer.from(`${item(i)},`));
  return Buffer.concat([Buffer.from(`[${first}`), list.subarray(0, -1), Buffer.from(']')]);
}

function jsonObject(bytes: number, member: (i: number) => string): Buffer {
  const list = series(bytes - 2, (i) => Buffer.from(`${member(i)},`));
  return Buffer.concat([Buffer.from('{'), list.subarray(0, -1), Buffer.from('}')]);
}

/** An array of equal values. */
function msgpackArray(bytes: number, hex: string): Buffer {
  const values = filled(bytes - 5, Buffer.from(hex, 'hex'));
  const head = Buffer.from([0xdd, 0, 0, 0, 0]);
  head.writeUInt32BE(values.length / (hex.length / 2), 1);
  return Buffer.concat([head, values]);
}

function msgpackKeys(bytes: number): Buffer {
  const entries = series(bytes - 5, (i) => Buffer.from([0xa4, ...Buffer.from(key(i)), 1]));
  const head = Buffer.from([0xdf, 0, 0, 0, 0]);
  head.writeUInt32BE(entries.length / 6, 1);
  return Buffer.concat([head, entries]);
}

function msgpackShapes(bytes: number): Buffer {
  const maps = series(bytes - 5, (i) => Buffer.from([0x81, 0xa4, ...Buffer.from(key(i)), 1]));
  const head = Buffer.from([0xdd, 0, 0, 0, 0]);
  head.writeUInt32BE(maps.length / 7, 1);
  return Buffer.concat([head, maps]);
}

const inProto = (name: string, taken: boolean, make: (bytes: number) => Buffer): DearMessage => ({
  name: `protobuf: ${name}`,
  way: proto,
  make,
  taken,
});
const inJson = (name: string, taken: boolean, make: (bytes: number) => Buffer): DearMessage => ({
  name: `json: ${name}`,
  way: text,
  make,
  taken,
});
const inMsgpack = (name: string, taken: boolean, make: (bytes: number) => Buffer): DearMessage => ({
  name: `msgpack: ${name}`,
  way: packed,
  make,
  taken,
});
const record = sized(
  2,
  Buffer.concat([
    sized(1, Buffer.from('a plain name')),
    numeric(2, 300),
    Buffer.from('1933333333333314402001', 'hex'),
    sized(5, Buffer.from('and some words of a note')),
  ]),
);

export const dearMessages: readonly DearMessage[] = [
  inProto('empty messages', false, (bytes) => filled(bytes, sized(1))),
  inProto('records without a field', false, (bytes) => filled(bytes, sized(2))),
  inProto('messages with empty lists', false, (bytes) => filled(bytes, sized(12))),
  inProto('messages with 64-bit numbers', false, (bytes) => filled(bytes, sized(13))),
  inProto('messages with bytes', false, (bytes) => filled(bytes, sized(14))),
  inProto('empty bytes', false, (bytes) => filled(bytes, sized(4))),
  inProto('packed 64-bit numbers of one byte', false, (bytes) => sized(6, Buffer.alloc(bytes - 5, 1))),
  inProto('a map with many names', false, (bytes) =>
    series(bytes, (i) => sized(8, Buffer.concat([sized(1, Buffer.from(key(i))), numeric(2, 1)]))),
  ),
  inProto('a map with many ids', false, (bytes) =>
    series(bytes, (i) => sized(9, Buffer.concat([numeric(1, i * 9_973), numeric(2, 1)]))),
  ),
  inProto('a map with empty messages', false, (bytes) =>
    series(bytes, (i) => sized(10, sized(1, Buffer.from(key(i))))),
  ),
  inProto('maps with one key that is a large index', false, (bytes) =>
    filled(bytes, sized(12, sized(3, sized(1, Buffer.from('900'))))),
  ),
  inProto('empty texts', true, (bytes) => filled(bytes, sized(3))),
  inProto('texts of two characters', true, (bytes) => filled(bytes, sized(3, Buffer.from('ab')))),
  inProto('texts of 100 characters', true, (bytes) => filled(bytes, sized(3, Buffer.alloc(100, 'a')))),
  inProto('packed numbers of one byte', true, (bytes) => sized(5, Buffer.alloc(bytes - 5, 1))),
  inProto('numbers that are not packed', true, (bytes) => filled(bytes, numeric(5, 1))),
  inProto('packed doubles', true, (bytes) => sized(7, Buffer.alloc((bytes - 5) & ~7, 64))),
  inProto('packed 64-bit numbers of nine bytes', true, (bytes) =>
    sized(6, filled(bytes - 5, Buffer.from('ffffffffffffffff7f', 'hex'))),
  ),
  inProto('one text', true, (bytes) => sized(15, Buffer.alloc(bytes - 5, 'a'))),
  inProto('ordinary records', true, (bytes) => filled(bytes, record)),
  inJson('empty objects', false, (bytes) => jsonList(bytes, () => '{}')),
  inJson('empty objects behind an escape', false, (bytes) => jsonList(bytes, () => '{}', '"\\u0041",')),
  inJson('arrays of arrays', false, (bytes) => jsonList(bytes, () => `${'['.repeat(60)}${']'.repeat(60)}`)),
  inJson('an object with many keys', false, (bytes) => jsonObject(bytes, (i) => `"${key(i)}":1`)),
  inJson('objects with a key of their own', false, (bytes) => jsonList(bytes, (i) => `{"${key(i)}":1}`)),
  inJson('objects with a key that is an index', false, (bytes) => jsonList(bytes, () => '{"9999":1}')),
  inJson('empty arrays', true, (bytes) => jsonList(bytes, () => '[]')),
  inJson('an object with long keys', true, (bytes) =>
    jsonObject(bytes, (i) => `"${key(i).padStart(60, 'x')}":1`),
  ),
  inJson('numbers', true, (bytes) => jsonList(bytes, () => '1')),
  inJson('fractions', true, (bytes) => jsonList(bytes, () => '1.5', '"",')),
  inJson('pairs of fractions', true, (bytes) => jsonList(bytes, () => '[12.5,41.25]')),
  inJson('texts of 12 characters', true, (bytes) => jsonList(bytes, (i) => `"${key(i).padStart(12, 'x')}"`)),
  inJson('ordinary records', true, (bytes) =>
    jsonList(bytes, (i) => `{"name":"name ${i}","count":${i},"price":1.5,"sold":true,"tags":["a","b"]}`),
  ),
  inMsgpack('empty maps', false, (bytes) => msgpackArray(bytes, '80')),
  inMsgpack('empty arrays', false, (bytes) => msgpackArray(bytes, '90')),
  inMsgpack('arrays of one', false, (bytes) => msgpackArray(bytes, '9101')),
  inMsgpack('empty bytes', false, (bytes) => msgpackArray(bytes, 'c400')),
  inMsgpack('dates', false, (bytes) => msgpackArray(bytes, 'd6ff41414141')),
  inMsgpack('a map with many keys', false, msgpackKeys),
  inMsgpack('maps with a key of their own', false, msgpackShapes),
  inMsgpack('maps with one key that is a large index', false, (bytes) => msgpackArray(bytes, '81cd038401')),
  inMsgpack('nils', true, (bytes) => msgpackArray(bytes, 'c0')),
  inMsgpack('texts of two characters', true, (bytes) => msgpackArray(bytes, 'a26162')),
  inMsgpack('doubles', true, (bytes) => msgpackArray(bytes, 'cb3ff8000000000000')),
  inMsgpack('bigints', true, (bytes) => msgpackArray(bytes, 'cf4141414141414141')),
];
