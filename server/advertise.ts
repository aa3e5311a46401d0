import { type Address, formatAddress, isWildcard, parseAddress } from '../rpc/address.js';
import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';

/**
 * The address that a registry should list.
 * @param listening the address listened on, with its real port
 * @param wanted the user's `advertise`: `host:port`, or a host that gets the real port
 * @throws RpcError FAILED_PRECONDITION when clients could not call it
 */
export function advertised(listening: string, wanted: string | undefined): string {
  const own = parseAddress(listening);
  const address = wanted === undefined ? own : read(wanted, own);
  if (isWildcard(address)) {
    throw new RpcError(
      Status.FAILED_PRECONDITION,
      `the server listens on ${listening}, which no client can call; say \`advertise\`: the host, or host:port, that clients reach it by`,
    );
  }
  if (address.kind === 'tcp' && address.port === 0) {
    throw new RpcError(
      Status.FAILED_PRECONDITION,
      `advertise: port 0 cannot be called, got ${JSON.stringify(wanted)}`,
    );
  }
  return formatAddress(address);
}

function read(wanted: string, own: Address): Address {
  try {
    return parseAddress(wanted);
  } catch (error) {
    if (own.kind === 'unix') throw error;
    // Only a host: it gets the port listened on. A bare IPv6 address gets its brackets.
    const host = wanted.includes(':') && !wanted.startsWith('[') ? `[${wanted}]` : wanted;
    try {
      return parseAddress(`${host}:${own.port}`);
    } catch {
      throw error;
    }
  }
}
