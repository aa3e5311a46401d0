import type { X509Certificate } from 'node:crypto';
import type { SecureContext, SecureContextOptions } from 'node:tls';
import { RpcError, textOf } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { tls as nodeTls } from '../node-tls.js';
import type { Pem } from '../tls.js';
import { crypto } from './node-crypto.js';

/** The texts of certificates and key, wherever they come from. */
export type Pems = { readonly ca?: Pem; readonly cert?: Pem; readonly key?: Pem };

/** Pems that were checked: they belong together, and OpenSSL takes them. */
export type TlsMaterial = Pems & {
  /** For clients: made once, and not for each connection. */
  readonly context: SecureContext;
  /** What `cert` says of itself. */
  readonly certificate: X509Certificate | undefined;
};

/** The TLS of a client, for engines. */
export interface TlsSource {
  /** As in `ClientTls`. */
  readonly serverName: string | undefined;
  /**
   * What a new connection uses. It may be another one each time.
   * @throws RpcError INVALID_ARGUMENT that names the option or file that is wrong; the next time it may be right
   */
  current(): TlsMaterial;
}

/** What each of them is called in errors: `tls.cert`, or the option and its file. */
export type Origins = { readonly [K in keyof Pems]-?: string };

const MIN_VERSION = 'TLSv1.2';

/** For `createServer` and `setSecureContext` of Node: all of it each time, since what is left out gets its default. */
export const serverContext = ({ ca, cert, key }: TlsMaterial): SecureContextOptions => ({
  cert,
  key,
  minVersion: MIN_VERSION,
  ...(ca === undefined ? {} : { ca }),
});

const BEGIN = /-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----/g;

/**
 * Checks that certificates and key are whole and belong together.
 * @throws RpcError INVALID_ARGUMENT that names the one that is wrong, and shows nothing of its text
 */
export function checkedMaterial(pems: Pems, origins: Origins): TlsMaterial {
  const { ca, cert, key } = pems;
  if (ca !== undefined) certificatesIn(ca, origins.ca);
  const certificate = cert === undefined ? undefined : certificatesIn(cert, origins.cert)[0];
  if (key !== undefined) checkKey(key, certificate, origins);
  if (cert !== undefined && key === undefined) throw invalid(`${origins.cert}: its key is missing`);
  if (cert === undefined && key !== undefined) throw invalid(`${origins.key}: its certificate is missing`);
  try {
    const context = nodeTls().createSecureContext({ minVersion: MIN_VERSION, ...pems });
    return { ...pems, context, certificate };
  } catch (reason) {
    const used = (['ca', 'cert', 'key'] as const).filter((name) => pems[name] !== undefined);
    throw invalid(`${used.map((name) => origins[name]).join(', ')}: OpenSSL refuses them`, reason);
  }
}

/** All certificates of a PEM text. Node takes as many as it can read, and says nothing of the rest. */
function certificatesIn(pem: Pem, origin: string): X509Certificate[] {
  const text = pem.toString();
  const found: X509Certificate[] = [];
  for (const begin of text.matchAll(BEGIN)) {
    const number = found.length + 1;
    const end = `-----END ${begin[1]}-----`;
    const endAt = text.indexOf(end, begin.index);
    if (endAt < 0) throw invalid(`${origin}: certificate ${number} is cut off, it has no "${end}"`);
    try {
      found.push(new (crypto().X509Certificate)(text.slice(begin.index, endAt + end.length)));
    } catch (reason) {
      throw invalid(`${origin}: certificate ${number} cannot be read`, reason);
    }
  }
  if (found.length === 0) throw invalid(`${origin}: there is no certificate in it`);
  return found;
}

function checkKey(pem: Pem, certificate: X509Certificate | undefined, origins: Origins): void {
  let key: ReturnType<ReturnType<typeof crypto>['createPrivateKey']>;
  try {
    key = crypto().createPrivateKey(pem);
  } catch (reason) {
    if (/^(-----BEGIN ENCRYPTED PRIVATE|Proc-Type: 4,ENCRYPTED)/m.test(pem.toString())) {
      throw invalid(`${origins.key}: the key is encrypted; give one without a passphrase`);
    }
    throw invalid(`${origins.key}: the private key cannot be read`, reason);
  }
  if (certificate && !certificate.checkPrivateKey(key)) {
    throw invalid(`${origins.key}: the key does not belong to the certificate of ${origins.cert}`);
  }
}

export const invalid = (text: string, reason?: unknown): RpcError =>
  new RpcError(Status.INVALID_ARGUMENT, reason === undefined ? text : `${text} (${textOf(reason)})`, {
    ...(reason === undefined ? {} : { cause: reason }),
    maybeExecuted: false,
  });
