import type { Socket } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { formatAddress } from '../rpc/address.js';
import type { Peer } from '../rpc/call.js';

/** The other end of a connection; `certificate` is one that TLS has verified. */
export function peerOf(from: string, certificate?: PeerCertificate): Peer {
  const address = bracketed(from);
  if (!certificate?.subject) return { address };
  const commonName = certificate.subject.CN;
  return {
    address,
    certificate: {
      ...(typeof commonName === 'string' ? { commonName } : {}),
      subjectAltNames: certificate.subjectaltname?.split(', ') ?? [],
    },
  };
}

/** The other end of a socket that a server has accepted. */
export function peerOfSocket(socket: Socket): Peer {
  const { remoteAddress: host, remotePort: port = 0 } = socket;
  const address = host === undefined ? 'unix' : formatAddress({ kind: 'tcp', host, port });
  const verified = isTls(socket) && socket.authorized;
  return peerOf(address, verified ? socket.getPeerCertificate() : undefined);
}

/** What Node has `encrypted` for. */
const isTls = (socket: Socket): socket is TLSSocket => 'encrypted' in socket;

/** grpc-js writes `::1:8000` for IPv6, and `unknown` for a unix socket, whose clients have no name. */
function bracketed(from: string): string {
  if (from === 'unknown') return 'unix';
  const colon = from.lastIndexOf(':');
  const host = from.slice(0, colon);
  return host.includes(':') && !host.startsWith('[') ? `[${host}]${from.slice(colon)}` : from;
}
