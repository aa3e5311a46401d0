import { encodeStateless } from '../../../transport/h2/hpack-encoder.js';
import {
  ACK,
  DATA,
  END_HEADERS,
  END_STREAM,
  GOAWAY,
  HEADERS,
  PING,
  PREFACE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from '../../../transport/h2/protocol.js';

/** Frames as a peer without manners lays them out: nothing is checked. */

export type Frame = { type: number; flags: number; id: number; payload: Buffer };

export function frame(
  type: number,
  flags: number,
  id: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(id >>> 0, 5);
  return Buffer.concat([header, payload]);
}

export const uint32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    bytes.writeUInt32BE(value >>> 0, i * 4);
  });
  return bytes;
};

export const settings = (...pairs: [id: number, value: number][]): Buffer =>
  frame(
    SETTINGS,
    0,
    0,
    Buffer.concat(
      pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 255]), uint32(value)])),
    ),
  );
export const settingsAck: Buffer = frame(SETTINGS, ACK, 0);
export const hello = (...pairs: [id: number, value: number][]): Buffer =>
  Buffer.concat([PREFACE, settings(...pairs)]);
export const windowUpdate = (id: number, increment: number): Buffer =>
  frame(WINDOW_UPDATE, 0, id, uint32(increment));
export const reset = (id: number, code = 8): Buffer => frame(RST_STREAM, 0, id, uint32(code));
export const ping = (flags = 0): Buffer => frame(PING, flags, 0, Buffer.alloc(8));
export const goAway = (last: number, code = 0): Buffer => frame(GOAWAY, 0, 0, uint32(last, code));
export const data = (id: number, payload: Uint8Array, flags = END_STREAM): Buffer =>
  frame(DATA, flags, id, payload);

export const block = (...fields: string[]): Buffer => encodeStateless(fields);

/** Of a client without a name: the end of its requests may be held (`HeldEnds`). */
export const namelessFields = (path: string, ...more: string[]): string[] => [
  ...[':method', 'POST', ':scheme', 'http', ':path', path, ':authority', 'x'],
  ...['te', 'trailers', 'content-type', 'application/grpc+raw', ...more],
];
export const requestFields = (path: string, ...more: string[]): string[] =>
  namelessFields(path, 'user-agent', 'lictor', ...more);
export const headers = (id: number, fields: string[], flags = END_HEADERS): Buffer =>
  frame(HEADERS, flags, id, block(...fields));
export const request = (id: number, path = '/t/Echo', ...more: string[]): Buffer =>
  headers(id, requestFields(path, ...more));

/** A gRPC message: a byte of flags, four of length. */
export const message = (payload: Uint8Array | string, flags = 0, length?: number): Buffer => {
  const bytes = Buffer.from(payload as string);
  return Buffer.concat([Buffer.from([flags]), uint32(length ?? bytes.length), bytes]);
};

/** Request and message of a whole unary call. */
export const call = (id: number, text = 'hi', path = '/t/Echo'): Buffer =>
  Buffer.concat([request(id, path), data(id, message(text))]);

/** Cuts bytes into frames, behind a client's preface; what is left stays in `rest`. */
export function parse(bytes: Buffer): { frames: Frame[]; rest: Buffer } {
  const frames: Frame[] = [];
  let at = bytes.subarray(0, PREFACE.length).equals(PREFACE) ? PREFACE.length : 0;
  while (bytes.length - at >= 9) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    frames.push({
      type: bytes[at + 3]!,
      flags: bytes[at + 4]!,
      id: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, end),
    });
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}
