import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HpackDecoder } from '../../../transport/h2/hpack-decoder.js';
import { encodeStateless, HpackEncoder } from '../../../transport/h2/hpack-encoder.js';
import { PreparedBlock } from '../../../transport/h2/hpack-prepared.js';
import { entries } from './blocks.js';

// nghttp2, the engine of node:http2, at the other end of the connection: it decodes what we encode and the reverse.

const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const GOAWAY = 7;
const END_STREAM_AND_HEADERS = 0x05;
const ACK = 0x01;
const HEADER_TABLE_SIZE = 1;

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

const tableSize = (bytes: number): Buffer => {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(HEADER_TABLE_SIZE);
  payload.writeUInt32BE(bytes, 2);
  return frame(SETTINGS, 0, 0, payload);
};

type Frame = { readonly type: number; readonly flags: number; readonly payload: Buffer };

/** The frames of a socket, in the order of their coming. */
async function* frames(socket: net.Socket): AsyncGenerator<Frame, void> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      const end = 9 + bytes.readUIntBE(0, 3);
      yield { type: bytes[3]!, flags: bytes[4]!, payload: bytes.subarray(9, end) };
      bytes = bytes.subarray(end);
    }
  }
}

// @types/node does not know `sendDate`.
const noDate: http2.ServerStreamResponseOptions & { sendDate: boolean } = {
  endStream: true,
  sendDate: false,
};

/** Answers each request with the fields that `answers` has for its number, and keeps what it was asked. */
async function startServer(answers: readonly (readonly string[])[], headerTableSize: number) {
  const asked: string[][] = [];
  const server = http2.createServer({ settings: { headerTableSize } });
  // @types/node has no type for the fourth argument.
  server.on(
    'stream',
    (stream: http2.ServerHttp2Stream, _headers: unknown, _flags: unknown, raw: string[]) => {
      const fields = answers[asked.length]!;
      asked.push(raw);
      const headers: Record<string, string> = {};
      for (let at = 0; at < fields.length; at += 2) headers[fields[at]!] = fields[at + 1]!;

      stream.respond(headers, noDate);
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, asked, port: (server.address() as AddressInfo).port };
}

// Values that RFC 9113, 8.2.1 allows: no space at either end.
const value = fc.oneof(
  fc.constantFrom('one', 'two', 'application/grpc', '', 'v'.repeat(150)),
  fc
    .array(fc.integer({ min: 0x21, max: 0x7e }), { maxLength: 80 })
    .map((codes) => String.fromCharCode(...codes)),
  fc
    .array(fc.integer({ min: 0x80, max: 0xff }), { maxLength: 20 })
    .map((codes) => String.fromCharCode(...codes)),
);
const names = [
  'x-a',
  'x-b',
  'x-c',
  'x-d',
  'x-e-bin',
  'authorization',
  'grpc-timeout',
  'user-agent',
  'x-a-long-name',
];
const fields = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...names), value), { maxLength: 9, selector: ([name]) => name })
  .map((list) => list.flat());
const request = fc
  .tuple(fc.constantFrom('/a/B', '/a/C', '/longer.Service/Method'), fields)
  .map(([path, rest]) => [
    ...[':method', 'POST', ':scheme', 'http', ':path', path, ':authority', 'localhost', 'te', 'trailers'],
    ...rest,
  ]);
const response = fc
  .tuple(fc.constantFrom('200', '404', '415'), fields)
  .map(([status, rest]) => [':status', status, ...rest]);

describe('with nghttp2 at the other end', () => {
  for (const { peerTableBytes, ownTableBytes } of [
    { peerTableBytes: 4096, ownTableBytes: 4096 },
    { peerTableBytes: 200, ownTableBytes: 300 },
    { peerTableBytes: 0, ownTableBytes: 0 },
    { peerTableBytes: 65_536, ownTableBytes: 16_384 },
  ]) {
    test(`both understand each other, with tables of ${peerTableBytes} and ${ownTableBytes} bytes`, async () => {
      const count = 200;
      const sample = { numRuns: count, seed: 7_541 };
      const requests = fc.sample(request, sample);
      const answers = fc.sample(response, sample);
      const { server, asked, port } = await startServer(answers, peerTableBytes);
      const socket = net.connect(port, '127.0.0.1');
      try {
        const encoder = new HpackEncoder({ maxTableBytes: 16_384 });
        const decoder = new HpackDecoder();
        const got: (readonly string[] | undefined)[] = [];
        const prepared = new Map<string[], PreparedBlock>();
        let sent = 0;
        const encode = (list: string[]): Buffer => {
          switch (sent % 5) {
            case 0:
              return encoder.prepare(encodeStateless(list));
            case 1: {
              const block = prepared.get(list) ?? new PreparedBlock(encoder, list);
              prepared.set(list, block);
              return block.encode();
            }
            default:
              return encoder.encode(list);
          }
        };
        const sendNext = () => {
          // Every fourth asks again for what the last one asked for.
          if (sent % 4 === 3) requests[sent] = requests[sent - 1]!;
          socket.write(frame(HEADERS, END_STREAM_AND_HEADERS, 2 * sent + 1, encode(requests[sent]!)));
          sent++;
        };

        socket.write(
          Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), tableSize(ownTableBytes)]),
        );
        for await (const { type, flags, payload } of frames(socket)) {
          assert.notEqual(type, GOAWAY);
          assert.notEqual(type, RST_STREAM);
          if (type === SETTINGS && flags !== ACK) {
            encoder.setMaxTableBytes(peerTableBytes);
            socket.write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
          } else if (type === SETTINGS) {
            decoder.setMaxTableBytes(ownTableBytes);
            sendNext();
          } else if (type === HEADERS) {
            got.push(decoder.decode(payload));
            if (got.length === count) break;
            sendNext();
          }
        }
        assert.equal(got.length, count);
        assert.deepEqual(asked, requests);
        assert.deepEqual(got, answers);
        assert.equal(encoder.table.maxBytes, Math.min(peerTableBytes, 16_384));
        assert.ok(decoder.table.maxBytes <= ownTableBytes);
        if (ownTableBytes >= 4096) assert.ok(entries(decoder).length > 0, 'nghttp2 has indexed something');
      } finally {
        socket.destroy();
        server.close();
      }
    });
  }
});
