import { createHash } from 'node:crypto';
import { RpcError } from '../../rpc/error.js';
import type { Logger } from '../../rpc/log.js';
import { checkServiceName } from '../../rpc/name.js';
import { Status } from '../../rpc/status.js';
import type { Node, NodeInit } from '../../selector/node.js';
import { createListedNode, fromNodeData, toNodeData, uniqueNodes } from '../node-data.js';
import { type AddressPolicy, addressPolicy } from './address-policy.js';
import type { KeyValue } from './kv.js';
import { listingReader } from './listing-reader.js';

/**
 * The flags that Consul's Go API sets on keys of its locks and semaphores, and gorpc on its entries. Beyond what a
 * JavaScript number holds.
 */
export const ENTRY_FLAGS = 3304740253564472344n;

/** A longer value is not an entry of ours. */
export const MAX_ENTRY_BYTES = 16 * 1024;

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

/** Skips what is no entry, with a warning. */
export function entryReader(
  folder: string,
  logger: Logger,
  allowed: AddressPolicy = addressPolicy(undefined),
): EntryReader {
  const read = listingReader<Pick<KeyValue, 'key' | 'value'>, Node>({
    logger,
    words: { all: 'entries in Consul', skipped: 'an entry in Consul that is no address' },
    place: { folder },
    parse({ key, value }) {
      if (key === folder && value.length === 0) return undefined; // The mark of a folder, made by Consul's own pages.
      const node = parseEntry(value);
      allowed(node.address);
      return node;
    },
    describe: ({ key, value }) => ({
      key,
      content: createHash('sha256').update(value).digest('base64'),
      fields: { key, value: shorten(value) },
    }),
  });
  return (entries) => uniqueNodes(read(entries));
}

const shorten = (value: Buffer) => {
  const text = value.subarray(0, 64).toString('utf8');
  return JSON.stringify(value.length > 64 ? `${text}...` : text);
};
