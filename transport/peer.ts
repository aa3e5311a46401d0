import type { PeerCertificate } from 'node:tls';
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

/** grpc-js writes `::1:8000` for IPv6, and `unknown` for a unix socket, whose clients have no name. */
function bracketed(from: string): string {
  if (from === 'unknown') return 'unix';
  const colon = from.lastIndexOf(':');
  const host = from.slice(0, colon);
  return host.includes(':') && !host.startsWith('[') ? `[${host}]${from.slice(colon)}` : from;
}
