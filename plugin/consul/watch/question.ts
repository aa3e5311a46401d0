import type { Answer } from '../answer.js';
import type { ConsulClient, ConsulRequest } from '../client.js';
import { BadAnswer } from '../guard.js';
import { type HiddenCheck, hiddenEntries } from '../hidden.js';
import { parseJson } from './json.js';

/** Where a blocking query goes on: an index, or the hash of an agent's own data. */
export type Position = bigint | string;

/** What a read gives. Without a position the answer is of no use for waiting. */
export type Reply<R> = {
  readonly position: Position | undefined;
  readonly result: R;
  /** What is in the result, for the sight. */
  readonly names: readonly string[];
  /** See `Answer`. */
  readonly isFiltered: boolean;
  /** Whether the agent shows nothing of what it has gathered from a stream, which only the servers can confirm. */
  readonly isStreamedNothing: boolean;
};

/** One read, held until the source has moved past `since`. */
export type Ask<R> = (
  client: ConsulClient,
  since: Position | undefined,
  signal: AbortSignal,
) => Promise<Reply<R>>;

/** A plan's question, of one type. */
export interface Query<R> {
  /** Tells questions apart, to share the watch of those who ask the same. */
  readonly key: string;
  /** Whether positions grow, so that a lower one means lost data. */
  readonly isOrdered: boolean;
  readonly ask: Ask<R>;
  /** How to tell what is gone from what the token may not see; undefined where a read of it is refused. */
  readonly sight: ((client: ConsulClient) => HiddenCheck) | undefined;
}

type Question<R> = Pick<
  ConsulRequest<R>,
  'path' | 'params' | 'query' | 'what' | 'permission' | 'stale' | 'mayBeAbsent'
> & {
  readonly isOrdered?: boolean;
  readonly positionOf?: (answer: Answer) => Position | undefined;
  readonly sight?: (client: ConsulClient) => HiddenCheck;
  readonly namesOf?: (result: R) => readonly string[];
  /** @param found the answer's JSON; undefined when it is 404 */
  readonly result: (found: unknown) => R;
};

export function query<R>({
  isOrdered = true,
  positionOf = ({ index }) => index,
  result,
  sight,
  namesOf = () => [],
  ...request
}: Question<R>): Query<R> {
  return {
    sight,
    key: JSON.stringify([request.path, request.params, request.query, request.stale]),
    isOrdered,
    ask: (client, since, signal) =>
      client.send({
        method: 'GET',
        ...request,
        since: typeof since === 'string' ? { hash: since } : since,
        signal,
        read(answer) {
          const position = positionOf(answer);
          // A proxy says 404 too, but it does not send an index.
          if (answer.status === 404 && position === undefined)
            throw new BadAnswer('a 404 without X-Consul-Index; is this a Consul agent?');
          const found = answer.status === 404 ? undefined : jsonOf(answer);
          // A server that has just started knows nothing until there is a leader.
          if (!answer.knownLeader && isNothing(found))
            throw new BadAnswer('there is no cluster leader, so that nothing is found is not believed');
          const read = result(found);
          return {
            position,
            result: read,
            names: namesOf(read),
            isFiltered: answer.isFiltered,
            isStreamedNothing: answer.isStreamed && isNothing(found),
          };
        },
      }),
  };
}

function jsonOf(answer: Answer): unknown {
  try {
    return parseJson(answer.text);
  } catch {
    return answer.json(); // Throws too, and says what came instead.
  }
}

const isNothing = (found: unknown) =>
  found === undefined || found === null || (typeof found === 'object' && Object.keys(found).length === 0);

/** What the token must be able to read for an entry to be listed. */
type Needs = { readonly service?: string; readonly node?: string };

/** For what the catalog lists. @param needs what the token must be able to read, by the name of an entry */
export const hiding =
  (what: string, permission: string, needs: (name: string) => Needs) =>
  (client: ConsulClient): HiddenCheck =>
    hiddenEntries(client, {
      what,
      permission,
      rightsFor: (lost) =>
        lost
          .map(needs)
          .flatMap(({ service, node }) => [
            ...(service === undefined ? [] : [{ resource: 'service', name: service } as const]),
            ...(node === undefined ? [] : [{ resource: 'node', name: node } as const]),
          ]),
    });
