import { connect as connectTcp, isIP, Socket } from 'node:net';
import type { SecureContext, TLSSocket } from 'node:tls';
import { type Address, parseAddress } from '../../rpc/address.js';
import { RpcError } from '../../rpc/error.js';
import { tls as nodeTls } from '../node-tls.js';
import type { TlsSource } from '../tls/material.js';

/** A socket to the address; with TLS one that has agreed on HTTP/2 (RFC 9113, 3.2), else with prior knowledge (3.3). */
export function dial(
  address: string,
  tls: TlsSource | undefined,
  onConnected: (error?: Error) => void,
): Socket {
  const to = parseAddress(address);
  const where = to.kind === 'unix' ? { path: to.path } : { host: to.host, port: to.port };
  if (!tls) {
    const socket = connectTcp({ ...where, noDelay: true });
    socket.once('connect', () => onConnected());
    return socket;
  }
  let secureContext: SecureContext;
  try {
    secureContext = tls.current().context;
  } catch (reason) {
    // A connection that fails, like any other; the next one may find the files in order.
    return new Socket().destroy(new Error(RpcError.from(reason).details, { cause: reason }));
  }
  const { serverName = hostOf(to) } = tls;
  const socket: TLSSocket = nodeTls().connect({
    ...where,
    // RFC 6066, 3: an IP address is no server name, but the certificate has to be for it all the same.
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    checkServerIdentity: (_, certificate) => nodeTls().checkServerIdentity(serverName, certificate),
    ALPNProtocols: ['h2'],
    secureContext,
  });
  socket.setNoDelay(true);
  socket.once('secureConnect', () => {
    if (socket.alpnProtocol === 'h2') onConnected();
    else onConnected(new Error('the server does not speak HTTP/2 over TLS (no "h2" in ALPN)'));
  });
  return socket;
}

/** `:authority`: the name that the server is asked for. */
export function authorityOf(address: string, tls: TlsSource | undefined): string {
  if (tls?.serverName) return tls.serverName;
  return parseAddress(address).kind === 'unix' ? 'localhost' : address;
}

const hostOf = (address: Address): string => (address.kind === 'unix' ? 'localhost' : address.host);
