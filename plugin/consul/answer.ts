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
  /** False while the cluster has no leader, so that a stale answer may be far behind. True where it is not known. */
  readonly knownLeader: boolean;
  /** How long ago the server that answered had heard from its leader; 0 where it is not known. */
  readonly lastContactMs: number;
  /**
   * Whether it is what the agent has gathered from a stream of events, as Consul does from 1.10 on for queries of
   * `/health/service` with an index. Such an answer says nothing of the leader, nor of what is hidden from the token,
   * and an agent that cannot reach its servers may show an empty list.
   */
  readonly isStreamed: boolean;
  /** Whether the servers say that they left out what the token may not read, as they do from Consul 1.11 on. */
  readonly isFiltered: boolean;
  readonly text: string;
  /** @throws BadAnswer for what is not JSON */
  json(): unknown;
}

export type Response = IncomingMessage & { body?: Buffer };

const MAX_INDEX = 2n ** 64n - 1n;

/** @param response one with status 200 or 404 */
export function answerOf(response: Response): Answer {
  const { statusCode = 0, headers, body } = response;
  const isStreamed = headers['x-consul-query-backend'] === 'streaming';
  return {
    status: statusCode,
    index: parseIndex(headers['x-consul-index']),
    hash: textOf(headers['x-consul-contenthash']),
    // A streamed answer says `false` whatever the leader (hashicorp/consul#9776).
    knownLeader: isStreamed || headers['x-consul-knownleader'] !== 'false',
    lastContactMs: isStreamed ? 0 : Number(textOf(headers['x-consul-lastcontact']) ?? 0) || 0,
    isStreamed,
    isFiltered: headers['x-consul-results-filtered-by-acls'] === 'true',
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
