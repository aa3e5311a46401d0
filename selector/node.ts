import type { Address } from '../rpc/address.js';
import { formatAddress, parseAddress } from '../rpc/address.js';

/** One live instance of a service, as a registry describes it. */
export interface Node {
  /** `host:port`, `[ipv6]:port` or `unix:/path`. It is the node's identity: one address, one node. */
  readonly address: string;
  /** Share of the calls relative to the other nodes, 0 to 1000; 0 means drained. @default 1 */
  readonly weight: number;
  /** Where it runs, for policies that prefer what is near. */
  readonly zone?: string;
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
}

export type NodeInit = {
  address: string | Address;
  weight?: number | undefined;
  zone?: string | undefined;
  tags?: readonly string[] | undefined;
  meta?: Readonly<Record<string, string>> | undefined;
};

export const MAX_WEIGHT = 1_000;

/**
 * A node with its defaults filled in.
 * @throws RpcError INVALID_ARGUMENT for an address that cannot be called
 */
export function createNode(init: NodeInit): Node {
  const address = typeof init.address === 'string' ? parseAddress(init.address) : init.address;
  return {
    address: formatAddress(address),
    weight: clampWeight(init.weight),
    ...(init.zone === undefined ? {} : { zone: init.zone }),
    tags: init.tags ?? [],
    meta: init.meta ?? {},
  };
}

/** Weights come from registries that anybody may have written to: no value may break a balancer. */
export function clampWeight(weight: number | undefined): number {
  if (weight === undefined || !Number.isFinite(weight)) return 1;
  return Math.min(Math.max(weight, 0), MAX_WEIGHT);
}
