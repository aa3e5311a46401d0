import { Client, type ClientOptions, RpcError } from 'lictor';
import { h2 } from '../../transport/h2/engine.js';
import { recordingLogger } from '../plugin/log.js';
import { type Attempts, openLoop, watched } from './load.js';
import { resources } from './resources.js';
import { Faults, Reads } from './service.js';

export const CALLS_PER_SECOND = 500;

/** A call as its caller saw it. */
export type Seen = { readonly at: number; readonly ms: number; readonly error: RpcError | undefined };

/** A client that calls all the time. When it is disposed of, it has left nothing behind. */
export interface Calling extends AsyncDisposable {
  readonly client: Client;
  readonly attempts: Attempts;
  readonly warnings: ReturnType<typeof recordingLogger>['lines'];
  /** In the order of their ends. */
  readonly seen: readonly Seen[];
  sent(): number;
  /** How many calls failed since then, by status. */
  failed(since?: number): Readonly<Record<string, number>>;
  /** Resolves when so many more calls were sent to each of them. */
  untilPicked(addresses: readonly string[], more: number): Promise<void>;
  /** Resolves when all calls have ended, and no more are sent. */
  stop(): Promise<void>;
}

export type CallingOptions = ClientOptions & {
  /** Which method it calls: one that must not be run twice, or one that may. @default 'work' */
  readonly method?: 'work' | 'look';
  readonly perSecond?: number;
};

/** Retries nothing unless told to. */
export function calling({
  method = 'work',
  perSecond = CALLS_PER_SECOND,
  ...options
}: CallingOptions): Calling {
  const before = resources();
  const logger = recordingLogger();
  const { engine, attempts } = watched(h2);
  const client = new Client({
    timeoutMs: 5_000,
    retry: { attempts: 1 },
    logger,
    ...options,
    transport: engine,
  });
  const faults = client.service(Faults);
  const reads = client.service(Reads);
  const seen: Seen[] = [];
  const load = openLoop(perSecond, async (n) => {
    const at = performance.now();
    const end = (error: RpcError | undefined) => seen.push({ at, ms: performance.now() - at, error });
    try {
      await (method === 'work' ? faults.work({ n }) : reads.look({ n }));
      end(undefined);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      end(error);
    }
  });
  return {
    ...{ client, attempts, warnings: logger.lines, seen, sent: () => load.sent },
    failed(since = 0) {
      const count: Record<string, number> = {};
      for (const { at, error } of seen) {
        if (error && at >= since) count[error.status] = (count[error.status] ?? 0) + 1;
      }
      return count;
    },
    async untilPicked(addresses, more) {
      const enough = new Map(addresses.map((address) => [address, attempts.picked(address) + more]));
      const end = performance.now() + 60_000;
      while ([...enough].some(([address, picked]) => attempts.picked(address) < picked)) {
        if (performance.now() > end)
          throw new Error(`not all of ${addresses.join()} were picked ${more} times`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    stop: () => load.stop(),
    async [Symbol.asyncDispose]() {
      await load.stop();
      await client.close();
      await resources.are(before);
    },
  };
}
