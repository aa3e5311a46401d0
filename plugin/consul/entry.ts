import { createHash } from 'node:crypto';
import { RpcError } from '../../rpc/error.js';
import type { Logger } from '../../rpc/log.js';
import { checkServiceName } from '../../rpc/name.js';
import { Status } from '../../rpc/status.js';
import type { Node, NodeInit } from '../../selector/node.js';
import { createListedNode, fromNodeData, MAX_NODES, toNodeData, uniqueNodes } from '../node-data.js';
import { type AddressPolicy, addressPolicy } from './address-policy.js';
import type { KeyValue } from './kv.js';

/**
 * The flags that Consul's Go API sets on keys of its locks and semaphores, and gorpc on its entries. Beyond what a
 * JavaScript number holds.
 */
export const ENTRY_FLAGS = 3304740253564472344n;

/** A longer value is not an entry of ours. */
export const MAX_ENTRY_BYTES = 16 * 1024;

const MAX_WARNINGS = 20;

/**
 * What stands before the service in every key; `''` for nothing.
 * @throws RpcError INVALID_ARGUMENT for what Consul would redirect to another key (`/x`, `a//b`, `a/../b`) or refuse
 */
export function checkPrefix(prefix: string): string {
  const bad = (why: string) =>
    new RpcError(Status.INVALID_ARGUMENT, `prefix ${JSON.stringify(String(prefix).slice(0, 128))}: ${why}`, {
      maybeExecuted: false,
    });
  if (typeof prefix !== 'string') throw bad('not a string');
  if (prefix === '') return prefix;
  if (prefix.startsWith('/')) throw bad('must not start with "/"');
  if (!prefix.endsWith('/')) throw bad('must end with "/"');
  if (prefix.length > 256) throw bad('longer than 256 characters');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(prefix)) throw bad('has a control character');
  for (const segment of prefix.slice(0, -1).split('/')) {
    if (segment === '' || segment === '.' || segment === '..') throw bad('has an empty segment, "." or ".."');
  }
  return prefix;
}

/** With the slash, without which `Greeter` would list `Greeter2` too. */
export const folderOf = (prefix: string, service: string): string => `${prefix}${checkServiceName(service)}/`;

/**
 * One server as a key of each of its services and the value they share: its address alone, readable by gorpc, or JSON
 * when there is more to say.
 * @throws RpcError INVALID_ARGUMENT for an address that others cannot call, or more than `MAX_ENTRY_BYTES`
 */
export function formatEntry(init: NodeInit): { readonly address: string; readonly value: string } {
  const node = networked(createListedNode(init));
  const data = toNodeData(node);
  const value = Object.keys(data).length === 1 ? node.address : JSON.stringify(data);
  const bytes = Buffer.byteLength(value);
  if (bytes > MAX_ENTRY_BYTES) {
    throw new RpcError(
      Status.INVALID_ARGUMENT,
      `tags and meta of ${node.address}: an entry takes up to ${MAX_ENTRY_BYTES} bytes, this has ${bytes}`,
      { maybeExecuted: false },
    );
  }
  return { address: node.address, value };
}

/**
 * The node in a value: a plain address (gorpc's) or JSON (ours).
 * @throws RpcError INVALID_ARGUMENT or SyntaxError for anything else
 */
export function parseEntry(value: Uint8Array): Node {
  if (value.length > MAX_ENTRY_BYTES) throw new SyntaxError(`longer than ${MAX_ENTRY_BYTES} bytes`);
  let text: string;
  try {
    text = strictUtf8.decode(value);
  } catch {
    throw new SyntaxError('not UTF-8');
  }
  return networked(
    text.startsWith('{') ? fromNodeData(JSON.parse(text)) : createListedNode({ address: text }),
  );
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A path on one machine means nothing on another, and must not be something that a registry can steer. */
function networked(node: Node): Node {
  if (!node.address.startsWith('unix:')) return node;
  throw new RpcError(
    Status.INVALID_ARGUMENT,
    `${node.address}: a unix socket cannot be reached through Consul`,
    {
      maybeExecuted: false,
    },
  );
}

/** Reads listing after listing of one folder. */
export type EntryReader = (entries: readonly Pick<KeyValue, 'key' | 'value'>[]) => readonly Node[];

/**
 * Skips what is no entry, with one warning for each key and content however often it is listed, since anybody may
 * write under the folder.
 */
export function entryReader(
  folder: string,
  logger: Logger,
  allowed: AddressPolicy = addressPolicy(undefined),
): EntryReader {
  let skipped = new Map<string, string>(); // Key to a digest of the value.
  let flooded = false;
  return (entries) => {
    const skippedNow = new Map<string, string>();
    const nodes: Node[] = [];
    let warnings = 0;
    for (const { key, value } of entries.slice(0, MAX_NODES)) {
      if (key === folder && value.length === 0) continue; // The mark of a folder, made by Consul's own pages.
      try {
        const node = parseEntry(value);
        allowed(node.address);
        nodes.push(node);
      } catch (error) {
        const digest = createHash('sha256').update(value).digest('base64');
        skippedNow.set(key, digest);
        if (skipped.get(key) === digest || ++warnings > MAX_WARNINGS) continue;
        logger.warn('skipped an entry in Consul that is no address', {
          key,
          value: shorten(value),
          reason: error instanceof RpcError ? error.details : (error as Error).message,
        });
      }
    }
    if (warnings > MAX_WARNINGS)
      logger.warn('skipped more entries in Consul', { folder, count: warnings - MAX_WARNINGS });
    const floods = entries.length > MAX_NODES;
    if (floods && !flooded) {
      logger.warn('too many entries in Consul, the rest is not used', {
        folder,
        count: entries.length,
        limit: MAX_NODES,
      });
    }
    flooded = floods;
    skipped = skippedNow;
    return uniqueNodes(nodes);
  };
}

const shorten = (value: Buffer) => {
  const text = value.subarray(0, 64).toString('utf8');
  return JSON.stringify(value.length > 64 ? `${text}...` : text);
};
