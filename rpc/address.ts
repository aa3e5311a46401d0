import { isIPv6 } from 'node:net';
import { RpcError } from './error.js';
import { Status } from './status.js';

/** Where a server listens or a node is found: a TCP port or a unix socket. */
export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

const HOST = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?$/;
const ZONE = /^[^%]*(%[A-Za-z0-9_.-]{1,32})?$/;
const MAX_IPV6_LENGTH = 45 + 33; // With its zone.
const CONTROL = /\p{Cc}/u;
const WILDCARD = /^(::ffff:)?[0:.]+$/i;
const PORT = /^\d{1,5}$/;

/**
 * Reads `host:port`, `[ipv6]:port` or `unix:/path`. Strict, since addresses come from registries that others write to:
 * no scheme, user info, spaces or control characters, and a decimal port from 0 to 65535 (0 only for listening).
 * @throws RpcError INVALID_ARGUMENT that shows the value received
 */
export function parseAddress(text: string): Address {
  if (typeof text !== 'string') throw bad(text, 'not a string');
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    // The path is copied into sockaddr_un, whose room is 108 bytes with the final NUL.
    if (path === '' || CONTROL.test(path) || Buffer.byteLength(path) > 107)
      throw bad(text, 'a socket path has 1 to 107 bytes, none of them a control character');
    return { kind: 'unix', path };
  }
  const colon = text.lastIndexOf(':');
  if (colon < 0) throw bad(text, 'no port');
  const portText = text.slice(colon + 1);
  const port = Number(portText);
  if (!PORT.test(portText) || port > 65535) throw bad(text, 'a port is a whole number from 0 to 65535');
  const hostText = text.slice(0, colon);
  if (hostText.startsWith('[') && hostText.endsWith(']')) {
    const host = hostText.slice(1, -1);
    if (host.length > MAX_IPV6_LENGTH || !isIPv6(host) || !ZONE.test(host))
      throw bad(text, 'no IPv6 address between the brackets');
    return { kind: 'tcp', host, port };
  }
  if (!HOST.test(hostText) || hostText.includes('..'))
    throw bad(text, hostText.includes(':') ? 'an IPv6 address needs brackets' : 'not a host name');
  return { kind: 'tcp', host: hostText, port };
}

/** The text that `parseAddress` reads; IPv6 goes in brackets. */
export function formatAddress(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** Whether it means every interface of a machine (`0.0.0.0`, `[::]`), so that one can listen there but not call it. */
export const isWildcard = (address: Address): boolean =>
  address.kind === 'tcp' && WILDCARD.test(address.host);

function bad(text: unknown, why: string): RpcError {
  const shown = JSON.stringify(String(text).slice(0, 128));
  return new RpcError(
    Status.INVALID_ARGUMENT,
    `address ${shown}: ${why}; wanted host:port, [ipv6]:port or unix:/path`,
    {
      maybeExecuted: false,
    },
  );
}
