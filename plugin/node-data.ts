import { isWildcard, parseAddress } from '../rpc/address.js';
import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';
import { createNode, type Node, type NodeInit } from '../selector/node.js';

/** A node as the plain JSON that registries keep. Read with `fromNodeData`, since anybody may have written it. */
export type NodeData = {
  readonly address: string;
  readonly weight?: number;
  readonly zone?: string;
  readonly tags?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
};

/** More nodes than this of one service are not looked at, so that a flooded registry cannot fill the memory. */
export const MAX_NODES = 10_000;

/**
 * A node that others can call.
 * @throws RpcError INVALID_ARGUMENT for a bad address, port 0 or a wildcard host such as 0.0.0.0
 */
export function createListedNode(init: NodeInit): Node {
  const node = createNode(init);
  const address = parseAddress(node.address);
  if (address.kind === 'tcp') {
    if (address.port === 0) throw refused(node.address, 'port 0 cannot be called');
    if (isWildcard(address))
      throw refused(node.address, 'a wildcard host cannot be called; say which address others reach');
  }
  return node;
}

/** What there is to say of a node beyond its defaults. */
export const toNodeData = (node: Node): NodeData => ({
  address: node.address,
  ...(node.weight === 1 ? {} : { weight: node.weight }),
  ...(node.zone === undefined ? {} : { zone: node.zone }),
  ...(node.tags.length === 0 ? {} : { tags: node.tags }),
  ...(Object.keys(node.meta).length === 0 ? {} : { meta: node.meta }),
});

/**
 * The node that parsed JSON describes. Only the address is a must; fields of a wrong type count as absent, unknown
 * ones (a newer release's) are ignored.
 * @throws RpcError INVALID_ARGUMENT when there is no address that can be called
 */
export function fromNodeData(data: unknown): Node {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) throw refused(data, 'not an object');
  const { address, weight, zone, tags, meta } = data as Record<string, unknown>;
  if (typeof address !== 'string') throw refused(address, 'no address');
  return createListedNode({
    address,
    weight: typeof weight === 'number' ? weight : undefined,
    zone: typeof zone === 'string' ? zone : undefined,
    tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : undefined,
    meta: metaOf(meta),
  });
}

/** One node per address (the first wins, weights are not added), by address: the same set is the same list. */
export function uniqueNodes(nodes: Iterable<Node>): readonly Node[] {
  const byAddress = new Map<string, Node>();
  for (const node of nodes) if (!byAddress.has(node.address)) byAddress.set(node.address, node);
  return [...byAddress.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
}

/** Without a prototype, so that neither `__proto__` nor `constructor` is more than a key. */
function metaOf(meta: unknown): Readonly<Record<string, string>> | undefined {
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta)) return undefined;
  const plain: Record<string, string> = Object.create(null);
  for (const [key, value] of Object.entries(meta)) if (typeof value === 'string') plain[key] = value;
  return plain;
}

function refused(received: unknown, why: string): RpcError {
  const shown = JSON.stringify(received)?.slice(0, 128);
  return new RpcError(Status.INVALID_ARGUMENT, `node ${shown}: ${why}`, { maybeExecuted: false });
}
