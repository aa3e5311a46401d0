import { BlockList, isIP, isIPv4 } from 'node:net';
import { parseAddress } from '../../rpc/address.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';

/** Refuses an address that a client is not to call, whoever has listed it. */
export type AddressPolicy = (address: string) => void;

/** Never a server of somebody's: a cloud's metadata service is link-local, the others name no single machine. */
const NEVER = [
  '0.0.0.0/8', // RFC 1122 3.2.1.3: this network
  '169.254.0.0/16', // RFC 3927: link-local
  '224.0.0.0/4', // RFC 5771: multicast
  '240.0.0.0/4', // RFC 1112: reserved, with the broadcast address
  '::/128',
  'fe80::/10', // RFC 4291 2.5.6: link-local
  'ff00::/8', // RFC 4291 2.7: multicast
];

/**
 * @param allow networks (`10.0.0.0/8`), addresses and host names (`*.internal` for all below), beyond which nothing is
 *   called; left out for all but link-local, multicast and unspecified addresses. What a host name stands for is not
 *   looked at.
 * @throws RpcError INVALID_ARGUMENT for what is none of these
 */
export function addressPolicy(allow: readonly string[] | undefined): AddressPolicy {
  const never = blockList(NEVER);
  const networks = allow && blockList(allow.filter((entry) => !isName(entry)));
  const names = allow?.filter(isName).map((name) => name.toLowerCase());
  return (address) => {
    const parsed = parseAddress(address);
    if (parsed.kind === 'unix') return;
    const host = parsed.host.replace(/%.*$/, '').toLowerCase();
    const family = isIP(host);
    if (family === 0) {
      // What the system's resolver takes for IPv4 though no address looks like it: 2852039166, 0xA9FEA9FE, 169.254.43518.
      if (/(^|\.)(\d+|0x[\da-f]*)$/.test(host)) throw refused(address, 'an IPv4 address in disguise');
      if (
        names &&
        !names.some((name) => (name.startsWith('*.') ? host.endsWith(name.slice(1)) : host === name))
      )
        throw refused(address, 'its host is not in addressPolicy');
      return;
    }
    const type = family === 4 ? 'ipv4' : 'ipv6';
    if (networks) {
      if (!networks.check(host, type)) throw refused(address, 'it is in no network of addressPolicy');
    } else if (never.check(host, type)) {
      throw refused(
        address,
        'link-local, multicast and unspecified addresses need to be allowed by addressPolicy',
      );
    }
  };
}

const NAME = /^(\*\.)?[a-z\d]([a-z\d_.-]*[a-z\d])?$/i;
const isName = (entry: string) => typeof entry === 'string' && !/^[\d.]+$/.test(entry) && NAME.test(entry);

function blockList(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [, address = '', prefix] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(String(entry)) ?? [];
    const family = isIP(address);
    const bits = isIPv4(address) ? 32 : 128;
    const length = prefix === undefined ? bits : Number(prefix);
    if (family === 0 || length > bits || address.includes('%')) {
      throw new RpcError(
        Status.INVALID_ARGUMENT,
        `addressPolicy: a network, an address or a host name is wanted, got ${JSON.stringify(String(entry).slice(0, 128))}`,
        { maybeExecuted: false },
      );
    }
    list.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

const refused = (address: string, why: string) =>
  new RpcError(Status.PERMISSION_DENIED, `${address}: ${why}`, { maybeExecuted: false });
