import { checkServiceName } from '../../rpc/name.js';
import type { Node, NodeInit } from '../../selector/node.js';
import type { Resolution } from '../../selector/resolver.js';
import { createListedNode, uniqueNodes } from '../node-data.js';
import type { ResolverPlugin } from '../plugin.js';

/** An address, or an address with weight, zone, tags and meta. */
export type FixedNode = string | NodeInit;

/**
 * A list of nodes that never changes: for every service, or by the service's name. Registers nothing.
 *
 *     fixed(['127.0.0.1:8000', { address: '127.0.0.1:8001', weight: 2 }])
 *     fixed({ 'helloworld.Greeter': ['127.0.0.1:8000'] })
 *
 * @throws RpcError INVALID_ARGUMENT for an address that cannot be called or a bad service name
 */
export function fixed(
  nodes: readonly FixedNode[] | Readonly<Record<string, readonly FixedNode[]>>,
): ResolverPlugin {
  const forAll = isList(nodes) ? parse(nodes) : [];
  const byService = new Map(
    isList(nodes)
      ? []
      : Object.entries(nodes).map(([service, list]) => [checkServiceName(service), parse(list)]),
  );
  const nodesOf = (service: string) => byService.get(service) ?? forAll;

  async function* resolutions(nodes: readonly Node[], signal: AbortSignal): AsyncGenerator<Resolution> {
    if (signal.aborted) return;
    yield { kind: 'nodes', nodes };
    if (!signal.aborted)
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  }

  return {
    kind: 'resolver',
    name: 'fixed',
    watch: (service, signal) => resolutions(nodesOf(checkServiceName(service)), signal),
    describe: (service) => `a fixed list of ${nodesOf(service).length} for ${service}`,
    async init({ services }) {
      services.forEach(checkServiceName);
      return { async [Symbol.asyncDispose]() {} };
    },
  };
}

const isList = (
  nodes: readonly FixedNode[] | Readonly<Record<string, readonly FixedNode[]>>,
): nodes is readonly FixedNode[] => Array.isArray(nodes);

const parse = (list: readonly FixedNode[]) =>
  uniqueNodes(list.map((node) => createListedNode(typeof node === 'string' ? { address: node } : node)));
