import type { Socket } from 'node:net';
import { tls as nodeTls } from '../node-tls.js';
import type { ServerTls } from '../tls.js';

/** Handshakes under way at a time. Each costs computation, and a client may leave it half done. */
const MAX_HANDSHAKES = 1_000;

/**
 * The TLS of a server that listens on TCP: what it returns takes a socket, and gives it to `accept` when the handshake
 * is done. What is not done in time, or is too many, is closed.
 */
export function handshakes(
  { cert, key, ca }: ServerTls,
  limits: { timeoutMs: number; maxUnderWay?: number },
  accept: (socket: Socket) => void,
): (socket: Socket) => void {
  const { timeoutMs, maxUnderWay = MAX_HANDSHAKES } = limits;
  const underWay = new Set<string>();
  const server = nodeTls().createServer(
    {
      cert,
      key,
      ALPNProtocols: ['h2', 'http/1.1'],
      minVersion: 'TLSv1.2',
      handshakeTimeout: timeoutMs,
      ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }),
    },
    (socket) => {
      underWay.delete(nameOf(socket));
      accept(socket);
    },
  );
  // Node tells of a handshake that failed, or has taken too long, and leaves its socket open.
  server.on('tlsClientError', (_, socket) => socket.destroy());
  return (socket) => {
    if (underWay.size >= maxUnderWay) {
      socket.destroy();
      return;
    }
    const name = nameOf(socket);
    underWay.add(name);
    socket.once('close', () => underWay.delete(name));
    server.emit('connection', socket);
  };
}

/** The same for a socket and for the one of TLS around it. Of a unix socket's clients, which are local, all have one. */
const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
