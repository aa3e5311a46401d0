import { Metadata } from '../../rpc/metadata.js';

/** A flat list: name, value, name, value. Names are lower-case. */
export type Fields = readonly string[];

/** What belongs to HTTP or to Connect and is nobody's metadata; `Metadata` itself knows the rest. */
const OWN = new Set([
  'accept',
  'accept-encoding',
  'content-encoding',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'trailer',
  'upgrade',
]);
/** As in gRPC, text is printable ASCII. Values that are passed on may hold more, and would break an answer. */
const TEXT = /^[\x20-\x7e]*$/;
const isOwn = (key: string) => OWN.has(key) || key.startsWith(':') || key.startsWith('connect-');

export function fieldOf(fields: Fields, name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
  return undefined;
}

export function metadataOf(fields: Fields): Metadata {
  const metadata = new Metadata();
  for (let i = 0; i < fields.length; i += 2) {
    const key = fields[i]!;
    const value = fields[i + 1]!;
    if (isOwn(key)) continue;
    if (key.endsWith('-bin')) {
      // Several values of a binary key may come joined by commas, padded or not.
      for (const one of value.split(',')) metadata.addReceived(key, Buffer.from(one.trim(), 'base64'));
    } else if (TEXT.test(value)) metadata.addReceived(key, value);
  }
  return metadata;
}

/** @param prefix `trailer-` for what would be a trailer, since HTTP/1.1 has none that clients see */
export function addMetadata(fields: string[], metadata: Metadata | undefined, prefix: '' | 'trailer-'): void {
  if (!metadata) return;
  for (const [key, value] of metadata) {
    // A handler that set one of these would break the answer that carries it.
    if (isOwn(key)) continue;
    const text = typeof value === 'string' ? value : Buffer.from(value).toString('base64').replace(/=+$/, '');
    if (TEXT.test(text)) fields.push(prefix + key, text);
  }
}
