import type { Socket } from 'node:net';
import { tls as nodeTls } from '../node-tls.js';
import { serverContext, type TlsMaterial } from '../tls/material.js';

/** Handshakes under way at a time. Each costs computation, and a client may leave it half done. */
const MAX_HANDSHAKES = 1_000;

/** The TLS of a server that listens on TCP. */
export interface Handshakes {
  /** Gives the socket to `accept` when its handshake is done. What is not done in time, or is too many, is closed. */
  take(socket: Socket): void;
  /**
   * For handshakes that begin from now on. Sessions of before are not resumed, since the keys of their tickets are gone:
   * a client whose authority was removed does not come back by one.
   */
  renew(tls: TlsMaterial): void;
}

export function handshakes(
  tls: TlsMaterial,
  limits: { timeoutMs: number; maxUnderWay?: number },
  accept: (socket: Socket) => void,
): Handshakes {
  const { timeoutMs, maxUnderWay = MAX_HANDSHAKES } = limits;
  const underWay = new Set<string>();
  const server = nodeTls().createServer(
    {
      ...serverContext(tls),
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: timeoutMs,
      ...(tls.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: true }),
    },
    (socket) => {
      underWay.delete(nameOf(socket));
      accept(socket);
    },
  );
  // Node tells of a handshake that failed, or has taken too long, and leaves its socket open.
  server.on('tlsClientError', (_, socket) => socket.destroy());
  return {
    take(socket) {
      if (underWay.size >= maxUnderWay) {
        socket.destroy();
        return;
      }
      const name = nameOf(socket);
      underWay.add(name);
      socket.once('close', () => underWay.delete(name));
      server.emit('connection', socket);
    },
    renew: (renewed) => server.setSecureContext(serverContext(renewed)),
  };
}

/** The same for a socket and for the one of TLS around it. Of a unix socket's clients, which are local, all have one. */
const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
