import { RpcError } from '../../../rpc/error.js';
import type { Logger } from '../../../rpc/log.js';
import { Status } from '../../../rpc/status.js';
import { type Answer, type ChangeEvent, changes, systemClock } from '../changes.js';
import type { ConsulClient } from '../client.js';
import { createSight } from '../hidden.js';
import { hiddenKeys } from '../hidden-keys.js';
import { type KeyListing, kvOf } from '../kv.js';
import { sharedChanges } from '../shared-changes.js';

/** All values under a prefix at one moment, by key. */
export type Snapshot = ReadonlyMap<string, Buffer>;

export type SnapshotOptions = {
  /** Keys begin with it, and may go on without a slash. */
  prefix: string;
  stale: boolean;
  /** How long an empty answer is not believed when nobody can have deleted the keys one by one. */
  lossGraceMs: number;
  /** Keys that the reader knows of, so that even a first answer without any is doubted. */
  known: readonly string[];
  /** Another number is another watch. */
  generation: number;
  logger: Logger;
};

/** Least time between two looks at a prefix that has vanished; any write to Consul ends a wait for it. */
const LOOK_MS = 250;
const MAX_WAIT_MS = 55_000;
const ABOVE_ALL = 2n ** 64n;

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
    known.length > 0,
    generation,
  ]);
  return sharedChanges(key, (stop) => told(watch(client, options, stop), options), signal);
}

function watch(client: ConsulClient, options: SnapshotOptions, signal: AbortSignal) {
  const { prefix, stale, lossGraceMs } = options;
  const kv = kvOf(client);
  const see = createSight(hiddenKeys(kv, prefix, stale), options.known);
  let hadKeys = options.known.length > 0;
  let lastIndex = hadKeys ? ABOVE_ALL : 0n;
  let failed = false;
  let vanished: number | undefined;

  /**
   * Whether the keys may have gone without anybody having deleted them: Consul has lost its data. A deletion moves the
   * index on, and comes without a failure before it.
   */
  const isDoubtful = ({ entries, index }: KeyListing) =>
    entries.length === 0 && hadKeys && (vanished !== undefined || failed || (index ?? 0n) <= lastIndex);

  const unavailable = (why: string) =>
    new RpcError(Status.UNAVAILABLE, `consul at ${client.agent}: ${why}`, { maybeExecuted: false });

  const look = async (
    since: bigint | undefined,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<KeyListing> => {
    const listing = await kv.list(prefix, { since, waitMs, stale, signal });
    // A server that has just started knows nothing until there is a leader.
    if (listing.entries.length === 0 && !listing.knownLeader)
      throw unavailable('has no cluster leader, so an empty list is not believed');
    const names = listing.entries.map(({ key }) => key);
    if (listing.index !== undefined) await see(names, listing.isFiltered === true, signal);
    return listing;
  };

  const query = async (since: bigint | undefined, signal: AbortSignal): Promise<Answer<Snapshot>> => {
    try {
      let listing = await look(since, MAX_WAIT_MS, signal);
      while (isDoubtful(listing) && listing.index !== undefined) {
        const isNew = vanished === undefined;
        vanished ??= performance.now();
        const leftMs = vanished + lossGraceMs - performance.now();
        if (leftMs <= 0) break;
        // The readers are to know that what they have is not what Consul says; after an outage they do already.
        if (isNew && !failed)
          throw unavailable(`all keys under ${JSON.stringify(prefix)} are gone, and not as by a deletion`);
        await systemClock.sleep(Math.min(LOOK_MS, leftMs), signal);
        const waitMs = Math.max(1, Math.ceil(Math.min(leftMs - LOOK_MS, MAX_WAIT_MS)));
        listing = await look(listing.index, waitMs, signal);
      }
      const { entries, index } = listing;
      if (index !== undefined) {
        hadKeys = entries.length > 0;
        lastIndex = index;
        failed = false;
        vanished = undefined;
      }
      return { index, value: new Map(entries.map((entry) => [entry.key, entry.value])) };
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
