import { type RpcError, textOf } from '../../../rpc/error.js';
import { type Logger, stderrLogger } from '../../../rpc/log.js';
import { type ChangeEvent, changes } from '../changes.js';
import type { ConsulClient } from '../client.js';
import { type ConsulConnection, connectConsul } from '../connection.js';
import { createSight } from '../hidden.js';
import { sharedChanges } from '../shared-changes.js';
import { normalForm } from './normal-form.js';
import { readParams, refused, show, type WatchParams } from './params.js';
import { queries } from './query.js';
import type { Position, Query } from './question.js';
import type { WatchIndex, WatchResults, WatchType } from './result.js';
import { unseenEvents } from './unseen.js';

/** What was found, and the position in Consul's history where it was. */
export interface WatchResult<T extends WatchType = WatchType> {
  readonly index: WatchIndex<T>;
  readonly result: WatchResults[T];
}

/**
 * Told of the first result, even if it is empty, and of every one that differs from the one before. The next is read
 * when the promise that it returns has settled. The signal aborts when the plan is stopped.
 */
export type WatchHandler<T extends WatchType = WatchType> = (
  index: WatchIndex<T>,
  result: WatchResults[T],
  signal: AbortSignal,
) => unknown;

/** Where to ask: an agent's address, or all that a connection can have. The plan's datacenter and token come first. */
export type WatchTarget = string | ConsulConnection;

/** One thing to watch in Consul. It heals by itself from whatever goes wrong, and tells no result twice. */
export interface WatchPlan<T extends WatchType = WatchType> {
  readonly type: T;
  /** Called by `run`. What it throws is logged, and the plan goes on. */
  handler: WatchHandler<T> | undefined;
  /**
   * Told when Consul cannot be asked, once for an outage, while the plan goes on trying.
   * @default a warning in the log
   */
  onFailure: ((error: RpcError) => void) | undefined;
  readonly isStopped: boolean;
  /**
   * Calls the handler until the plan is stopped, then resolves.
   * @throws RpcError INVALID_ARGUMENT for a bad address, token or file
   */
  run(target?: WatchTarget): Promise<void>;
  /** The same for a `for await`, which takes its time; a slow one skips states, but no event. */
  results(target?: WatchTarget): AsyncGenerator<WatchResult<T>, void, undefined>;
  /** Ends everything at once, for good: requests are destroyed, and nothing is told any more. */
  stop(): void;
}

export type PlanOptions = {
  /** Where failures go. @default one line of JSON on stderr */
  readonly logger?: Logger | undefined;
};

/**
 * Reads what to watch, as HashiCorp's `watch.Parse` does.
 * @throws RpcError INVALID_ARGUMENT that names a parameter which is missing, wrong or unknown
 */
export function parse<P extends WatchParams>(params: P, options?: PlanOptions): WatchPlan<P['type']>;
/** For parameters from a file or a command line. */
export function parse(params: Readonly<Record<string, unknown>>, options?: PlanOptions): WatchPlan;
export function parse(
  params: Readonly<Record<string, unknown>>,
  { logger = stderrLogger }: PlanOptions = {},
): WatchPlan {
  const reader = readParams(params);
  const type = reader.text('type');
  if (type === undefined) throw refused(`parameter "type" is missing: one of ${TYPES.join(', ')}`);
  if (!isType(type))
    throw refused(`parameter "type": one of ${TYPES.join(', ')} is wanted, got ${show(type)}`);
  const datacenter = reader.text('datacenter');
  const token = reader.text('token');
  const query = queries[type](reader);
  reader.end();
  const connect = (target: WatchTarget = {}): ConsulClient => {
    const connection = typeof target === 'string' ? { address: target } : target;
    return connectConsul({
      ...connection,
      ...(datacenter === undefined ? {} : { datacenter }),
      ...(token === undefined ? {} : { token }),
    });
  };
  return createPlan(type, query, connect, logger);
}

const TYPES = Object.keys(queries) as readonly WatchType[];
const isType = (text: string): text is WatchType => Object.hasOwn(queries, text);

function createPlan<T extends WatchType>(
  type: T,
  query: Query<WatchResults[T]>,
  connect: (target?: WatchTarget) => ConsulClient,
  logger: Logger,
): WatchPlan<T> {
  const stop = new AbortController();
  const { signal } = stop;

  async function* results(target?: WatchTarget): AsyncGenerator<WatchResult<T>, void, undefined> {
    const client = connect(target);
    const key = JSON.stringify([client.identity, 'watch', type, query.key]);
    const newsOf = createNewsOf<T>(type);
    const states = sharedChanges(key, (end) => found(query, client, end), signal);
    // Even while the reader is busy with a result: nobody else may be waiting for the answer.
    const leave = () => void states.return();
    signal.addEventListener('abort', leave);
    try {
      for await (const change of states) {
        if (change.kind === 'failure') {
          failed(change.error);
          continue;
        }
        const news = newsOf(change.value);
        if (news && !signal.aborted) yield news;
      }
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  function failed(error: RpcError): void {
    if (signal.aborted) return;
    if (!plan.onFailure)
      return logger.warn('a watch of Consul fails and is tried again', { type, reason: error.details });
    try {
      plan.onFailure(error);
    } catch (reason) {
      logger.error('a listener for failures of a watch threw', { type, reason: textOf(reason) });
    }
  }

  const plan: WatchPlan<T> = {
    type,
    handler: undefined,
    onFailure: undefined,
    get isStopped() {
      return signal.aborted;
    },
    results,
    async run(target) {
      for await (const { index, result } of results(target)) {
        try {
          await plan.handler?.(index, result, signal);
        } catch (reason) {
          if (signal.aborted) return;
          logger.error('the handler of a watch failed; the watch goes on', { type, reason: textOf(reason) });
        }
      }
    },
    stop: () => stop.abort(),
  };
  return plan;
}

type Found<R> = { readonly position: Position; readonly result: R; readonly form: string };

/** The states that Consul goes through, as all see them who ask the same. */
function found<R>(
  query: Query<R>,
  client: ConsulClient,
  signal: AbortSignal,
): AsyncIterable<ChangeEvent<Found<R>>> {
  let last: Position | undefined;
  let moves = 0n;
  const see = query.sight && createSight(query.sight(client));
  return changes(
    async (since, signal) => {
      const from = since === undefined ? undefined : last;
      let answer = await query.ask(client, from, signal);
      if (answer.isStreamedNothing && from !== undefined) answer = await query.ask(client, undefined, signal);
      const { position, result, names, isFiltered } = answer;
      if (position !== undefined) await see?.(names, isFiltered, signal);
      const value = { position: position ?? '', result, form: normalForm(result) };
      if (position === undefined) return { index: undefined, value };
      if (position !== last) moves++;
      last = position;
      // Of positions without an order we count the moves, so that none looks like a step back, to lost data.
      return { index: query.isOrdered ? BigInt(position) : moves, value };
    },
    { signal, same: (a, b) => a.form === b.form },
  );
}

/** What one reader has not been told yet. */
function createNewsOf<T extends WatchType>(type: T) {
  let last: string | undefined;
  const unseen = unseenEvents();
  return ({ position, result, form }: Found<WatchResults[T]>): WatchResult<T> | undefined => {
    const isFirst = last === undefined;
    if (last === form) return undefined; // Told again after a failure.
    last = form;
    const index = position as WatchIndex<T>;
    if (type !== 'event') return { index, result };
    const events = unseen(result as WatchResults['event']);
    return events.length > 0 || isFirst ? { index, result: events as WatchResults[T] } : undefined;
  };
}
