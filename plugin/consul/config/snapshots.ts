import { RpcError } from '../../../rpc/error.js';
import type { Logger } from '../../../rpc/log.js';
import { Status } from '../../../rpc/status.js';
import { type Answer, type ChangeEvent, changes, systemClock } from '../changes.js';
import type { ConsulClient } from '../client.js';
import { kvOf, type Listing } from '../kv.js';
import { sharedChanges } from '../shared-changes.js';

/** All values under a prefix at one moment, by key. */
export type Snapshot = ReadonlyMap<string, Buffer>;

export type SnapshotOptions = {
  /** Keys begin with it, and may go on without a slash. */
  prefix: string;
  stale: boolean;
  /** How long an empty answer is not believed when nobody can have deleted the keys one by one. */
  lossGraceMs: number;
  /** Whether the reader knows of keys there, so that even a first answer without any is doubted. */
  known: boolean;
  /** Another number is another watch. */
  generation: number;
  logger: Logger;
};

/** Least time between two looks at a prefix that has vanished; any write to Consul ends a wait for it. */
const LOOK_MS = 250;
const MAX_WAIT_MS = 55_000;

/** One blocking query for all in the process who watch the same prefix of the same Consul in the same way. */
export function snapshots(
  client: ConsulClient,
  options: SnapshotOptions,
  signal: AbortSignal,
): AsyncGenerator<ChangeEvent<Snapshot>, void, undefined> {
  const { prefix, stale, lossGraceMs, known, generation } = options;
  const key = JSON.stringify([
    client.identity,
    'config',
    prefix,
    stale,
    String(lossGraceMs),
    known,
    generation,
  ]);
  return sharedChanges(key, (stop) => told(watch(client, options, stop), options), signal);
}

function watch(client: ConsulClient, options: SnapshotOptions, signal: AbortSignal) {
  const { prefix, stale, lossGraceMs, logger } = options;
  const kv = kvOf(client);
  let hadKeys = options.known;
  let lastIndex = 0n;
  let failed = options.known;
  let vanished: number | undefined;

  /**
   * Whether the keys may have gone without anybody having deleted them: Consul has lost its data, or the token the
   * right to read them, which looks the same. A deletion moves the index on, and comes without a failure before it.
   */
  const isDoubtful = ({ entries, index }: Listing) =>
    entries.length === 0 && hadKeys && (vanished !== undefined || failed || (index ?? 0n) <= lastIndex);

  const look = async (since: bigint | undefined, waitMs: number, signal: AbortSignal): Promise<Listing> => {
    const listing = await kv.list(prefix, { since, waitMs, stale, signal });
    // A server that has just started knows nothing until there is a leader.
    if (listing.entries.length === 0 && !listing.knownLeader) {
      throw new RpcError(
        Status.UNAVAILABLE,
        `consul at ${client.agent}: has no cluster leader, so an empty list is not believed`,
        { maybeExecuted: false },
      );
    }
    return listing;
  };

  const query = async (since: bigint | undefined, signal: AbortSignal): Promise<Answer<Snapshot>> => {
    try {
      let listing = await look(since, MAX_WAIT_MS, signal);
      while (isDoubtful(listing)) {
        if (vanished === undefined && lossGraceMs > 0) {
          logger.warn('all keys of the configuration are gone, which nobody did; the last values are kept', {
            prefix,
            forMs: lossGraceMs,
          });
        }
        vanished ??= performance.now();
        const leftMs = vanished + lossGraceMs - performance.now();
        if (leftMs <= 0) break;
        if (listing.index === undefined) break; // Counted as a failure by who asked.
        await systemClock.sleep(Math.min(LOOK_MS, leftMs), signal);
        const waitMs = Math.max(1, Math.min(leftMs - LOOK_MS, MAX_WAIT_MS));
        listing = await look(listing.index, Math.ceil(waitMs), signal);
      }
      if (listing.index !== undefined) {
        hadKeys = listing.entries.length > 0;
        lastIndex = listing.index;
        failed = false;
        vanished = undefined;
      }
      return {
        index: listing.index,
        value: new Map(listing.entries.map((entry) => [entry.key, entry.value])),
      };
    } catch (reason) {
      failed = true;
      throw reason;
    }
  };
  return changes(query, { signal, same });
}

/** Logged here and not by the readers, of whom there may be many. */
async function* told(
  events: AsyncIterable<ChangeEvent<Snapshot>>,
  { prefix, logger }: SnapshotOptions,
): AsyncGenerator<ChangeEvent<Snapshot>, void, undefined> {
  let isDown = false;
  for await (const event of events) {
    if (event.kind === 'failure') {
      logger.warn('the configuration cannot be read from Consul; the last values are kept', {
        prefix,
        error: event.error.message,
      });
    } else if (isDown) logger.warn('the configuration can be read from Consul again', { prefix });
    isDown = event.kind === 'failure';
    yield event;
  }
}

/** Their indexes do not count: after a restore of Consul the same values have other ones. */
function same(a: Snapshot, b: Snapshot): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (!b.get(key)?.equals(value)) return false;
  return true;
}
