/** PEM text or bytes. */
export type Pem = string | Buffer;

/** How a client checks the server, and shows who it is. Certificates are always checked; TLS 1.2 is the floor. */
export type ClientTls = {
  /** Who signed the servers' certificates. @default the authorities that Node trusts */
  ca?: Pem | undefined;
  /** With `key`: this client's own certificate, for mutual TLS. */
  cert?: Pem | undefined;
  key?: Pem | undefined;
  /**
   * PEM files in the place of `ca`, `cert` and `key`. They are read for the first connection and watched from then on:
   * new connections use what the files hold, connections that are open stay.
   */
  caFile?: string | undefined;
  certFile?: string | undefined;
  keyFile?: string | undefined;
  /**
   * The name that the servers' certificates must carry, as when nodes are listed by IP address.
   * @default the host of the address called
   */
  serverName?: string | undefined;
};

/** What a server shows, and whom it lets in. TLS 1.2 is the floor. */
export type ServerTls = (ByPem | ByFile) & {
  /** Who signed the clients' certificates. Given, a client without a valid one is refused (mutual TLS). */
  ca?: Pem | undefined;
  /** A PEM file in the place of `ca`, watched like `certFile`. */
  caFile?: string | undefined;
};

type ByPem = { cert: Pem; key: Pem; certFile?: undefined; keyFile?: undefined };

type ByFile = {
  cert?: undefined;
  key?: undefined;
  /**
   * PEM files in the place of `cert` and `key`. They are read by `serve()` and watched from then on: new connections
   * use what the files hold, connections that are open stay. A file that is broken is logged, and changes nothing.
   */
  certFile: string;
  keyFile: string;
};

/** New certificates for `reloadTls`; what is left out stays as it is. */
export type TlsRenewal = {
  cert?: Pem | undefined;
  key?: Pem | undefined;
  ca?: Pem | undefined;
};

/** What has a text and a file, in the order in which it is checked. */
export const MATERIALS = ['ca', 'cert', 'key'] as const;

const SERVER_NAMES = [...MATERIALS, 'caFile', 'certFile', 'keyFile'];
const CLIENT_NAMES = [...SERVER_NAMES, 'serverName'];

/**
 * Checks what can be checked before a connection is made and a file is read.
 * @throws TypeError for an unknown option, half of a certificate, the same thing twice, or PEM that is none
 */
export function checkTls(tls: ClientTls | ServerTls | undefined, side: 'client' | 'server'): void {
  if (tls === undefined) return;
  if (typeof tls !== 'object' || tls === null) throw new TypeError('tls: expected an object of options');
  checkNames('tls', tls, side === 'client' ? CLIENT_NAMES : SERVER_NAMES);
  for (const name of MATERIALS) {
    const file = `${name}File` as const;
    if (tls[name] !== undefined && tls[file] !== undefined) {
      throw new TypeError(`tls: ${name} and ${file} say the same thing twice, give one of them`);
    }
    checkPem(`tls.${name}`, tls[name], `tls.${file}`);
    checkFileName(`tls.${file}`, tls[file], `tls.${name}`);
  }
  for (const [cert, key] of [['cert', 'key'] as const, ['certFile', 'keyFile'] as const]) {
    if ((tls[cert] === undefined) !== (tls[key] === undefined)) {
      throw new TypeError(`tls: ${cert} and ${key} go together, one of them is missing`);
    }
  }
  if (side === 'server' && tls.cert === undefined && tls.certFile === undefined) {
    throw new TypeError('tls: a server has a certificate: cert and key, or certFile and keyFile');
  }
}

/** @throws TypeError like `checkTls` */
export function checkRenewal(renewal: TlsRenewal): void {
  if (typeof renewal !== 'object' || renewal === null) {
    throw new TypeError('reloadTls: expected an object with cert, key or ca');
  }
  checkNames('reloadTls', renewal, MATERIALS);
  for (const name of MATERIALS) checkPem(`reloadTls: ${name}`, renewal[name]);
}

function checkNames(what: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new TypeError(
      `${what}: unknown option ${JSON.stringify(name.slice(0, 64))}, there are ${known.join(', ')}`,
    );
  }
}

/** The value stays out of the error: it may be a key. */
function checkPem(what: string, pem: unknown, file?: string): void {
  if (pem === undefined) return;
  if (typeof pem !== 'string' && !Buffer.isBuffer(pem)) {
    throw new TypeError(`${what}: expected PEM as a string or a Buffer, got ${typeof pem}`);
  }
  if (pem.includes('-----BEGIN ')) return;
  const instead = file === undefined ? '' : `; a file is named by ${file}`;
  throw new TypeError(`${what}: PEM is wanted ("-----BEGIN ..."), not the name of a file${instead}`);
}

function checkFileName(what: string, file: unknown, text: string): void {
  if (file === undefined) return;
  if (typeof file !== 'string' || file === '') {
    throw new TypeError(`${what}: expected the path of a file, got ${file === '' ? '""' : typeof file}`);
  }
  if (file.includes('-----BEGIN ')) {
    throw new TypeError(`${what}: expected the path of a file, got PEM; that is for ${text}`);
  }
}
