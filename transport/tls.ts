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
   * The name that the servers' certificates must carry, as when nodes are listed by IP address.
   * @default the host of the address called
   */
  serverName?: string | undefined;
};

/**
 * Checks what can be checked before a connection is made.
 * @throws TypeError for half of a certificate, or PEM that is none
 */
export function checkTls(tls: ClientTls | ServerTls | undefined): void {
  if (!tls) return;
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new TypeError('tls: cert and key go together, one of them is missing');
  }
  for (const name of ['ca', 'cert', 'key'] as const) {
    const pem = tls[name];
    if (pem === undefined || pem.includes('-----BEGIN ')) continue;
    throw new TypeError(`tls.${name}: PEM is wanted ("-----BEGIN ..."), not the name of a file`);
  }
}

/** What a server shows, and whom it lets in. TLS 1.2 is the floor. */
export type ServerTls = {
  cert: Pem;
  key: Pem;
  /** Who signed the clients' certificates. Given, a client without a valid one is refused (mutual TLS). */
  ca?: Pem | undefined;
};
