import type { PeerCertificate } from 'node:tls';
import type { Peer } from '../rpc/call.js';

/** The other end of a connection; `certificate` is one that TLS has verified. */
export function peerOf(address: string, certificate?: PeerCertificate): Peer {
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
