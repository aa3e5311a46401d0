import { once } from 'node:events';
import {
  type ClientHttp2Stream,
  connect,
  createSecureServer,
  createServer,
  type Http2Stream,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { FrameReader, frame } from '../../../codec/framing.js';
import { definition } from '../definition.js';
import { handlers } from '../service.js';
import type { Caller, Stack } from '../stack.js';

/** The least that gRPC over Node's own HTTP/2 takes: no deadlines, no metadata, hardly an error. */
export const nodeHttp2: Stack = {
  async serve({ tls }) {
    const server = tls ? createSecureServer({ ...tls }) : createServer();
    const byPath = new Map(Object.values(definition()).map((method) => [method.path, method]));
    server.on('stream', (stream, headers) => {
      const method = byPath.get(headers[':path']!)!;
      stream.on('error', () => stream.destroy());
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      const requests = messages(stream, method.requestDeserialize);
      const name = (method as unknown as { originalName: keyof typeof handlers }).originalName;
      void answer(stream, name, requests, (reply) => frame(method.responseSerialize(reply)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  },
  async open(address, { tls }) {
    const { Say, Carry, Count, Chat } = definition();
    const session = connect(`${tls ? 'https' : 'http'}://${address}`, tls ? { ca: tls.cert } : {});
    const request = (path: string) =>
      session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
    const unary = (method: typeof Say) => async (message: object) => {
      const stream = request(method.path);
      stream.end(frame(method.requestSerialize(message)));
      return only(stream, method.responseDeserialize);
    };
    const [say, carry] = [unary(Say), unary(Carry)];
    return {
      say: (text) => say({ text }),
      carry: ({ data }) => carry({ data }),
      count(wanted) {
        const stream = request(Count.path);
        stream.end(frame(Count.requestSerialize({ messages: wanted })));
        return messages(stream, Count.responseDeserialize);
      },
      chat(requests) {
        const stream = request(Chat.path);
        void write(stream, requests, (message) => frame(Chat.requestSerialize(message)));
        return messages(stream, Chat.responseDeserialize);
      },
    } as Caller;
  },
};

async function answer(
  stream: ServerHttp2Stream,
  name: keyof typeof handlers,
  requests: AsyncIterable<never>,
  encode: (reply: unknown) => Buffer,
): Promise<void> {
  if (name === 'chat') return write(stream, handlers.chat(requests), encode);
  for await (const request of requests) {
    if (name === 'count') await write(stream, handlers.count(request), encode);
    else stream.end(encode(handlers[name](request)));
  }
}

/** Writes at the peer's pace. */
async function write<T>(stream: Http2Stream, source: AsyncIterable<T>, encode: (message: T) => Buffer) {
  for await (const message of source) {
    if (!stream.write(encode(message))) await once(stream, 'drain');
  }
  stream.end();
}

async function* messages(stream: Http2Stream, decode: (bytes: Buffer) => unknown): AsyncGenerator<never> {
  const reader = new FrameReader();
  for await (const chunk of stream) {
    for (const { payload } of reader.push(chunk as Buffer)) yield decode(payload as Buffer) as never;
  }
}

/** The one reply of a unary call, by events: an iterator would cost more than the call. */
function only(stream: ClientHttp2Stream, decode: (bytes: Buffer) => unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const reader = new FrameReader();
    let reply: unknown;
    let status: unknown;
    stream.on('data', (chunk: Buffer) => {
      for (const { payload } of reader.push(chunk)) reply = decode(payload as Buffer);
    });
    stream.on('trailers', (trailers) => {
      status = trailers['grpc-status'];
    });
    stream.on('end', () => (status === '0' ? resolve(reply) : reject(new Error(`grpc-status ${status}`))));
    stream.on('error', reject);
  });
}
