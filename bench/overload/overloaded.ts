import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, type OverloadOptions, RpcError, Status } from 'lictor';
import { quantile } from '../../test/faults/figures.js';
import { type Kind, Work } from './service.js';

export type Overloading = {
  readonly kind: Kind;
  readonly overload: OverloadOptions | false;
  /** Of the time with too many calls. */
  readonly seconds: number;
  /** How many times what the server can do is sent then. */
  readonly times: number;
};

export type Overloaded = {
  /** Calls a second that the server answers when it always has some to do. */
  readonly capacity: number;
  /** Calls a second that were answered within their deadline while too many came. */
  readonly goodput: number;
  /** Of those that were answered, before and while too many came. */
  readonly usualP99Ms: number;
  readonly answeredP99Ms: number;
  readonly refused: number;
  readonly refusedP50Ms: number;
  readonly refusedP99Ms: number;
  /** Calls that failed in another way, which took their time for nothing. */
  readonly failed: number;
  /**
   * After the load was half of what the server can do again: the end of the last half second of which more than a
   * twentieth of the calls failed, or took more than twice as long as usual.
   */
  readonly recoveredMs: number;
};

type Call = { readonly sentAt: number; readonly endedAt: number; readonly error: RpcError | undefined };

const DEADLINE_MS = 1_000;
/** Calls at a time while the capacity is measured: more than any of the servers needs. */
const CLOSED_LOOP = 40;
const AFTER_MS = 8_000;
const program = fileURLToPath(new URL('./server.js', import.meta.url));

/** Sends a server in a process of its own too many calls. */
export async function overloaded({ kind, overload, seconds, times }: Overloading): Promise<Overloaded> {
  const child = fork(program, [JSON.stringify({ kind, overload })]);
  const [address] = (await once(child, 'message')) as [string];
  const client = new Client({ target: address, timeoutMs: DEADLINE_MS, retry: { attempts: 1 } });
  const { work } = client.service(Work);
  const call = async (): Promise<Call> => {
    const sentAt = performance.now();
    const error = await work({}).then(
      () => undefined,
      (reason: unknown) => RpcError.from(reason),
    );
    return { sentAt, endedAt: performance.now(), error };
  };
  try {
    await closedLoop(call, 1_000);
    const capacity = await closedLoop(call, 3_000);
    const before = await openLoop(call, capacity / 2, 3_000);
    const during = await openLoop(call, capacity * times, seconds * 1_000);
    const after = await openLoop(call, capacity / 2, AFTER_MS);
    const dropped = after[0]!.sentAt;
    const usualP99Ms = quantile(durations(before.filter(isAnswered)), 0.99);
    const answered = during.filter(isAnswered);
    const refused = during.filter(isRefused);
    const isBad = (one: Call) => !isAnswered(one) || took(one) > 2 * usualP99Ms + 10;
    return {
      capacity,
      goodput: answered.length / seconds,
      usualP99Ms,
      answeredP99Ms: quantile(durations(answered), 0.99),
      refused: refused.length,
      refusedP50Ms: quantile(durations(refused), 0.5),
      refusedP99Ms: quantile(durations(refused), 0.99),
      failed: during.length - answered.length - refused.length,
      recoveredMs: lastBadSlice(after, dropped, isBad),
    };
  } finally {
    await client.close();
    child.kill();
  }
}

const isAnswered = ({ error }: Call) => error === undefined;
const isRefused = ({ error }: Call) => error?.code === Status.RESOURCE_EXHAUSTED && !error.maybeExecuted;
const took = ({ sentAt, endedAt }: Call) => endedAt - sentAt;
const durations = (calls: readonly Call[]) => calls.map(took);

const SLICE_MS = 500;

function lastBadSlice(calls: readonly Call[], since: number, isBad: (call: Call) => boolean): number {
  for (let end = AFTER_MS; end > 0; end -= SLICE_MS) {
    const slice = calls.filter(({ sentAt }) => sentAt - since < end && sentAt - since >= end - SLICE_MS);
    if (slice.filter(isBad).length > slice.length / 20) return end;
  }
  return 0;
}

/** @returns calls a second */
async function closedLoop(call: () => Promise<Call>, ms: number): Promise<number> {
  const end = performance.now() + ms;
  let answered = 0;
  const loop = async () => {
    while (performance.now() < end) {
      const { error } = await call();
      if (error) await sleep(1);
      else answered++;
    }
  };
  await Promise.all(Array.from({ length: CLOSED_LOOP }, loop));
  return answered / (ms / 1_000);
}

/** Sends at a pace, whatever becomes of the calls; resolves when they all have ended. */
async function openLoop(call: () => Promise<Call>, perSecond: number, ms: number): Promise<Call[]> {
  const calls: Promise<Call>[] = [];
  const start = performance.now();
  while (performance.now() < start + ms) {
    for (const due = ((performance.now() - start) / 1_000) * perSecond; calls.length < due; )
      calls.push(call());
    await sleep(1);
  }
  return Promise.all(calls);
}
