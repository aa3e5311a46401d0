import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { FrameReader, frame } from '../../../codec/framing.js';
import type { Stack } from '../stack.js';

const ID_BYTES = 4;

/**
 * The floor: frames of a length, the call's number and its bytes, given back as they came. No codec, no headers, no
 * flow control; frames of one turn of the event loop are one write.
 */
export const rawSocket: Stack = {
  async serve({ tls }) {
    const onSocket = (socket: Socket) => {
      const send = sender(socket);
      receive(socket, send);
      socket.on('error', () => socket.destroy());
    };
    const server = tls ? createTlsServer({ ...tls }, onSocket) : createServer(onSocket);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  },
  async open(address, { tls }) {
    const port = Number(address.split(':')[1]);
    const socket = tls ? connectTls({ host: '127.0.0.1', port, ca: tls.cert }) : connect(port, '127.0.0.1');
    await once(socket, tls ? 'secureConnect' : 'connect');
    const waiting = new Map<number, (payload: Uint8Array) => void>();
    const send = sender(socket);
    let lastId = 0;
    receive(socket, (bytes) => {
      const id = Buffer.from(bytes.buffer, bytes.byteOffset, ID_BYTES).readUInt32BE();
      waiting.get(id)!(bytes.subarray(ID_BYTES));
      waiting.delete(id);
    });
    const call = (payload: Buffer) =>
      new Promise<Uint8Array>((resolve) => {
        const id = ++lastId;
        const bytes = Buffer.allocUnsafe(ID_BYTES + payload.length);
        bytes.writeUInt32BE(id);
        payload.copy(bytes, ID_BYTES);
        waiting.set(id, resolve);
        send(bytes);
      });
    return {
      say: async (text) => ({ text: Buffer.from(await call(Buffer.from(text))).toString() }),
      carry: async ({ data }) => ({ data: await call(data) }),
    };
  },
};

function receive(socket: Socket, take: (payload: Uint8Array) => void): void {
  const reader = new FrameReader();
  socket.setNoDelay(true);
  socket.on('data', (chunk) => {
    for (const { payload } of reader.push(chunk)) take(payload);
  });
}

function sender(socket: Socket): (payload: Uint8Array) => void {
  let frames: Buffer[] = [];
  const flush = () => {
    socket.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
    frames = [];
  };
  return (payload) => {
    if (frames.push(frame(payload)) === 1) setImmediate(flush);
  };
}
