import type { IncomingMessage } from 'node:http';
import { BadAnswer } from './guard.js';

export interface KeyValue {
  readonly key: string;
  readonly value: Buffer;
}

/** The keys under a prefix at one moment. A prefix without keys is an empty listing, not an error. */
export interface Listing {
  readonly entries: readonly KeyValue[];
  /** What to pass as `since`; undefined when the agent sent none that can be used. */
  readonly index: bigint | undefined;
  /** False while the cluster has no leader, so that a stale answer may be far behind. */
  readonly knownLeader: boolean;
}

const MAX_INDEX = 2n ** 64n - 1n;

/**
 * Consul's answer to a listing of keys, checked, since what answers may be a proxy's error page.
 * @param response one with status 200 or 404
 * @throws BadAnswer
 */
export function parseListing(response: IncomingMessage & { body?: Buffer }): Listing {
  const { statusCode, headers } = response;
  const index = parseIndex(headers['x-consul-index']);
  // A proxy says 404 too, but it does not send an index.
  if (statusCode === 404 && index === undefined)
    throw new BadAnswer('a 404 without X-Consul-Index; is this a Consul agent?');
  return {
    entries: statusCode === 404 ? [] : parseEntries(response),
    index,
    knownLeader: headers['x-consul-knownleader'] !== 'false',
  };
}

/** An index as Consul counts, in 64 bits, which a JavaScript number does not hold; 0 cannot be waited for. */
function parseIndex(header: string | string[] | undefined): bigint | undefined {
  if (typeof header !== 'string' || !/^\d{1,20}$/.test(header)) return undefined;
  const index = BigInt(header);
  return index > 0n && index <= MAX_INDEX ? index : undefined;
}

function parseEntries({ body, headers }: IncomingMessage & { body?: Buffer }): KeyValue[] {
  const text = body?.toString('utf8') ?? '';
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    const shown = JSON.stringify(text.slice(0, 80));
    throw new BadAnswer(
      `not JSON (${headers['content-type'] ?? 'no content type'}): ${shown}; is this a Consul agent?`,
    );
  }
  if (!Array.isArray(list)) throw new BadAnswer('not a list of keys');
  return list.map((item: unknown) => {
    const { Key: key, Value: value } = (item ?? {}) as { Key?: unknown; Value?: unknown };
    if (typeof key !== 'string' || (typeof value !== 'string' && value !== null))
      throw new BadAnswer('not a list of keys');
    return { key, value: Buffer.from(value ?? '', 'base64') };
  });
}
