import type { IncomingMessage } from 'node:http';
import { BadAnswer } from './guard.js';

/** What Consul answered with, and how far to trust it. */
export interface Answer {
  /** 200 or, where it was asked for, 404. */
  readonly status: number;
  /** What to pass as `since`; undefined when the agent sent none that can be used. */
  readonly index: bigint | undefined;
  /** The like of an index, for the queries of an agent about itself. */
  readonly hash: string | undefined;
  /** False while the cluster has no leader, so that a stale answer may be far behind. */
  readonly knownLeader: boolean;
  /** How long ago the server that answered had heard from its leader. */
  readonly lastContactMs: number;
  readonly text: string;
  /** @throws BadAnswer for what is not JSON */
  json(): unknown;
}

export type Response = IncomingMessage & { body?: Buffer };

const MAX_INDEX = 2n ** 64n - 1n;

/** @param response one with status 200 or 404 */
export function answerOf(response: Response): Answer {
  const { statusCode = 0, headers, body } = response;
  return {
    status: statusCode,
    index: parseIndex(headers['x-consul-index']),
    hash: textOf(headers['x-consul-contenthash']),
    knownLeader: headers['x-consul-knownleader'] !== 'false',
    lastContactMs: Number(textOf(headers['x-consul-lastcontact']) ?? 0) || 0,
    get text() {
      return body?.toString('utf8') ?? '';
    },
    json() {
      const text = body?.toString('utf8') ?? '';
      try {
        return JSON.parse(text);
      } catch {
        const shown = JSON.stringify(text.slice(0, 80));
        throw new BadAnswer(
          `not JSON (${headers['content-type'] ?? 'no content type'}): ${shown}; is this a Consul agent?`,
        );
      }
    },
  };
}

/** An index as Consul counts, in 64 bits, which a JavaScript number does not hold; 0 cannot be waited for. */
function parseIndex(header: string | string[] | undefined): bigint | undefined {
  if (typeof header !== 'string' || !/^\d{1,20}$/.test(header)) return undefined;
  const index = BigInt(header);
  return index > 0n && index <= MAX_INDEX ? index : undefined;
}

const textOf = (header: string | string[] | undefined) => (typeof header === 'string' ? header : undefined);
