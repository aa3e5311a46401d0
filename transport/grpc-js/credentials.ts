import type { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { tls as nodeTls } from '../node-tls.js';
import type { ClientTls, Pem, ServerTls } from '../tls.js';
import { grpc } from './package.js';

const MIN_VERSION = 'TLSv1.2';

export function channelCredentials(tls: ClientTls | undefined): ChannelCredentials {
  const { ChannelCredentials } = grpc();
  if (!tls) return ChannelCredentials.createInsecure();
  const { ca, cert, key } = tls;
  const context = nodeTls().createSecureContext({
    minVersion: MIN_VERSION,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert, key }),
  });
  return ChannelCredentials.createFromSecureContext(context);
}

export function serverCredentials(tls: ServerTls | undefined): ServerCredentials {
  const { ServerCredentials } = grpc();
  if (!tls) return ServerCredentials.createInsecure();
  const pair = { private_key: bytes(tls.key), cert_chain: bytes(tls.cert) };
  return ServerCredentials.createSsl(
    tls.ca === undefined ? null : bytes(tls.ca),
    [pair],
    tls.ca !== undefined,
  );
}

const bytes = (pem: Pem): Buffer => (typeof pem === 'string' ? Buffer.from(pem) : pem);
