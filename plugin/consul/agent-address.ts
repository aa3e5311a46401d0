import { type Address, formatAddress, parseAddress } from '../../rpc/address.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';

/** Where a Consul agent takes requests. */
export interface AgentAddress {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** Instead of host and port. */
  readonly socketPath: string | undefined;
  /** For messages: `127.0.0.1:8500`, or `https://...`, `unix:///...` when it is not plain HTTP over TCP. */
  readonly text: string;
}

/**
 * Reads `host:port`, `http://host:port`, `https://host:port` or `unix:///path`; without a port it is 8500, or 8501 for
 * https.
 * @param secure whether an address that does not say is https
 * @throws RpcError INVALID_ARGUMENT; the text is not repeated where it might hold a password
 */
export function parseAgentAddress(text: string, secure = false): AgentAddress {
  if (/^unix:\/\/./i.test(text)) {
    const socketPath = text.slice('unix://'.length);
    // Node cuts off a longer one without a word.
    if (Buffer.byteLength(socketPath) > 107 || socketPath.includes('\0')) throw refused(text);
    return { secure: false, host: 'localhost', port: 8500, socketPath, text: `unix://${socketPath}` };
  }
  const match = /^(?:(https?):\/\/)?([^/?#@]+)\/?$/i.exec(text);
  if (!match) throw refused(text);
  const isSecure = match[1] === undefined ? secure : match[1].toLowerCase() === 'https';
  const authority = match[2]!;
  const address = parse(/:\d+$/.test(authority) ? authority : `${authority}:${isSecure ? 8501 : 8500}`);
  if (address?.kind !== 'tcp' || address.port === 0) throw refused(text);
  return {
    secure: isSecure,
    host: address.host,
    port: address.port,
    socketPath: undefined,
    text: `${isSecure ? 'https://' : ''}${formatAddress(address)}`,
  };
}

function parse(text: string): Address | undefined {
  try {
    return parseAddress(text);
  } catch {
    return undefined;
  }
}

function refused(text: string): RpcError {
  const secret = text.includes('@') ? 'a user name' : text.includes('?') ? 'a query' : undefined;
  const shown = secret ? `one with ${secret} (use the option "token")` : JSON.stringify(text.slice(0, 128));
  return new RpcError(
    Status.INVALID_ARGUMENT,
    `address of Consul: wanted host:port, http(s)://host:port or unix:///path, got ${shown}`,
    { maybeExecuted: false },
  );
}
