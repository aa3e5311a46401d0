/** PEM text or bytes. */
export type Pem = string | Buffer;

/** How a client checks the server, and shows who it is. Certificates are always checked; TLS 1.2 is the floor. */
export type ClientTls = {
  /** Who signed the servers' certificates. @default the authorities that Node trusts */
  ca?: Pem;
  /** With `key`: this client's own certificate, for mutual TLS. */
  cert?: Pem;
  key?: Pem;
  /**
   * The name that the servers' certificates must carry, as when nodes are listed by IP address.
   * @default the host of the address called
   */
  serverName?: string;
};

/** What a server shows, and whom it lets in. TLS 1.2 is the floor. */
export type ServerTls = {
  cert: Pem;
  key: Pem;
  /** Who signed the clients' certificates. Given, a client without a valid one is refused (mutual TLS). */
  ca?: Pem;
};
