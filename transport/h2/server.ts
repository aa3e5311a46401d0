import { createServer, type Server, type Socket } from 'node:net';
import { formatAddress, parseAddress } from '../../rpc/address.js';
import { listenError } from '../listen-error.js';
import type { Listener, ListenOptions } from '../transport.js';
import { AddressLimit } from './address-limit.js';
import { Budget } from './budget.js';
import { Descriptors } from './descriptors.js';
import { handshakes } from './handshakes.js';
import { PREFACE } from './protocol.js';
import { ServerConnection } from './server-connection.js';

const PREFACE_TIMEOUT_MS = 5_000;
const MAX_CONNECTIONS = 10_000;
const MAX_STREAMS = 10_000;
const MAX_UNFINISHED_BYTES = 268_435_456;
const TICK_MS = 1_000;
const LINGER_MS = 1_000;

/** A server for the routes, on TCP, TLS or a unix socket. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const sockets = new Set<Socket>();
  const connections = new Set<ServerConnection>();
  const budget = new Budget(MAX_STREAMS, MAX_UNFINISHED_BYTES);
  // Here and not above, so that a client starts without node:http.
  const { Http1Server } = await import('../connect/http1.js');
  const http1 = new Http1Server(options);
  let onIdle: (() => void) | undefined;
  const accept = (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0) onIdle?.();
    });
    socket.on('error', () => {}); // Told by 'close'; without a listener it would end the process.
    const openHttp2 = () => {
      const connection: ServerConnection = new ServerConnection(socket, options, budget, () =>
        connections.delete(connection),
      );
      connections.add(connection);
      if (closing) connection.drain();
    };
    awaitPreface(socket, openHttp2, (seen) => http1.take(socket, seen));
  };
  const { tls, maxConnectionsPerAddress, logger } = options;
  const addresses = new AddressLimit(maxConnectionsPerAddress, logger);
  const secure = tls && handshakes(tls, { timeoutMs: PREFACE_TIMEOUT_MS }, accept);
  const admitted = secure?.take ?? accept;
  const server = createServer({ noDelay: true }, (socket) => {
    if (addresses.admit(socket)) admitted(socket);
    else socket.destroy();
  });
  server.maxConnections = MAX_CONNECTIONS;
  const address = await bind(server, options.address);
  const descriptors = new Descriptors(logger);
  server.on('error', (error) => descriptors.failed(error, performance.now()));
  let closing: Promise<void> | undefined;
  const tick = () => {
    const now = performance.now();
    for (const connection of connections) connection.onTick(now);
    descriptors.check(now);
  };
  // After a pause of the process what clients sent in time lies unread; it is read before the next check phase.
  const ticks = setInterval(() => setImmediate(tick), TICK_MS).unref();

  const close = async (graceMs: number) => {
    server.close();
    for (const connection of connections) connection.drain();
    http1.drain();
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
    if (sockets.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    cutOff();
  };
  const cutOff = () => {
    clearInterval(ticks);
    for (const connection of [...connections]) connection.cutOff();
    http1.cutOff();
    for (const socket of sockets) {
      socket.destroySoon();
      // One that does not read its last bytes is not waited for.
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
    }
  };
  return {
    address,
    ...(secure ? { renewTls: secure.renew } : {}),
    close(graceMs) {
      closing ??= close(graceMs);
      if (graceMs === 0) cutOff();
      return closing;
    },
  };
}

function bind(server: Server, wanted: string): Promise<string> {
  const address = parseAddress(wanted);
  const where = address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(listenError(wanted, error));
    server.once('error', failed);
    server.listen(where, () => {
      server.off('error', failed);
      const bound = server.address();
      const port = typeof bound === 'object' && bound ? bound.port : 0;
      resolve(address.kind === 'unix' ? wanted : formatAddress({ ...address, port }));
    });
  });
}

/** 3.4: a client of HTTP/2 begins with 24 bytes that no HTTP/1.1 server understands. */
function awaitPreface(socket: Socket, openHttp2: () => void, openOther: (seen: Buffer) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), PREFACE_TIMEOUT_MS);
  timer.unref();
  const decided = () => {
    clearTimeout(timer);
    socket.off('data', onData);
  };
  const onData = (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const known = Math.min(seen.length, PREFACE.length);
    if (seen.compare(PREFACE, 0, known, 0, known) !== 0) {
      decided();
      return openOther(seen);
    }
    if (known < PREFACE.length) return;
    decided();
    const rest = seen.subarray(PREFACE.length);
    openHttp2();
    if (rest.length > 0) socket.emit('data', rest);
  };
  socket.on('data', onData);
  socket.once('close', () => clearTimeout(timer));
}
