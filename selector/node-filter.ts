import { RpcError } from '../rpc/error.js';
import type { NodeFilter } from '../rpc/node-filter.js';
import { Status } from '../rpc/status.js';
import type { Node } from './node.js';

const KNOWN: readonly string[] = ['tags', 'meta', 'zone'] satisfies (keyof NodeFilter)[];

export function matches({ tags = [], meta = {}, zone }: NodeFilter, node: Node): boolean {
  return (
    (zone === undefined || node.zone === zone) &&
    tags.every((tag) => node.tags.includes(tag)) &&
    Object.entries(meta).every(([key, value]) => Object.hasOwn(node.meta, key) && node.meta[key] === value)
  );
}

/**
 * One text for all filters that say the same, whatever their order: what sets of nodes are kept under.
 * @throws RpcError INVALID_ARGUMENT for what is no filter
 */
export function filterKey(filter: NodeFilter): string {
  const { tags = [], meta = {}, zone } = filter;
  const unknown = Object.keys(filter).find((key) => !KNOWN.includes(key));
  if (unknown !== undefined) throw refused(`${KNOWN.join(', ')} are known, got ${unknown.slice(0, 64)}`);
  if (!Array.isArray(tags) || tags.some((tag) => typeof tag !== 'string'))
    throw refused('tags: an array of strings is wanted');
  const entries = typeof meta === 'object' && meta !== null ? Object.entries(meta) : undefined;
  if (!entries || entries.some(([, value]) => typeof value !== 'string'))
    throw refused('meta: an object of strings is wanted');
  if (zone !== undefined && typeof zone !== 'string') throw refused('zone: a string is wanted');
  return JSON.stringify([tags.toSorted(), entries.sort(([a], [b]) => (a < b ? -1 : 1)), zone ?? null]);
}

/** For people: `tag a, version=2, zone b`. */
export function describeFilter({ tags = [], meta = {}, zone }: NodeFilter): string {
  const parts = [
    ...tags.map((tag) => `tag ${tag}`),
    ...Object.entries(meta).map(([key, value]) => `${key}=${value}`),
    ...(zone === undefined ? [] : [`zone ${zone}`]),
  ];
  return parts.join(', ').slice(0, 200);
}

const refused = (text: string): RpcError =>
  new RpcError(Status.INVALID_ARGUMENT, `nodes: ${text}`, { maybeExecuted: false });
