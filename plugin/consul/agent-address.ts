import { type Address, formatAddress, parseAddress } from '../../rpc/address.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';

/** Where a Consul agent takes requests. */
export interface AgentAddress {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** For messages: `127.0.0.1:8500`, or `https://...` when it is not plain HTTP. */
  readonly text: string;
}

/**
 * Reads `host:port`, `http://host:port` or `https://host:port`; without a port it is 8500, or 8501 for https.
 * @throws RpcError INVALID_ARGUMENT; the text is not repeated where it might hold a password
 */
export function parseAgentAddress(text: string): AgentAddress {
  const match = /^(?:(https?):\/\/)?([^/?#@]+)\/?$/i.exec(text);
  if (!match) throw refused(text);
  const secure = match[1]?.toLowerCase() === 'https';
  const authority = match[2]!;
  const address = parse(/:\d+$/.test(authority) ? authority : `${authority}:${secure ? 8501 : 8500}`);
  if (address?.kind !== 'tcp' || address.port === 0) throw refused(text);
  return {
    secure,
    host: address.host,
    port: address.port,
    text: `${secure ? 'https://' : ''}${formatAddress(address)}`,
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
  const shown = text.includes('@')
    ? 'one with a user name (use the option "token")'
    : JSON.stringify(text.slice(0, 128));
  return new RpcError(
    Status.INVALID_ARGUMENT,
    `address of Consul: wanted host:port or http(s)://host:port, got ${shown}`,
    {
      maybeExecuted: false,
    },
  );
}
