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
  /**
   * Calls a second that the server answers when it always has some to do, before and after all the others: the lesser,
   * as a machine that others use too may become slower meanwhile.
   */
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
   * After the load was half of what the server can do again: the end of the last half second since which it has been
   * worse than a server beside it that was never sent more. See `isWorse`.
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
  const [server, other] = await Promise.all([startServer(kind, overload), startServer(kind, overload)]);
  const { call } = server;
  try {
    await closedLoop(call, 1_000);
    const capacityBefore = await closedLoop(call, 3_000);
    const sendHalf = (ms: number) =>
      Promise.all([call, other.call].map((call) => openLoop(call, capacityBefore / 2, ms)));
    const [before] = await sendHalf(3_000);
    const during = await openLoop(call, capacityBefore * times, seconds * 1_000);
    const answered = during.filter(isAnswered);
    const [after, beside] = await sendHalf(AFTER_MS);
    const refused = during.filter(isRefused);
    const usualP99Ms = quantile(durations(before!.filter(isAnswered)), 0.99);
    return {
      capacity: Math.min(capacityBefore, await closedLoop(call, 3_000)),
      goodput: answered.length / seconds,
      usualP99Ms,
      answeredP99Ms: quantile(durations(answered), 0.99),
      refused: refused.length,
      refusedP50Ms: quantile(durations(refused), 0.5),
      refusedP99Ms: quantile(durations(refused), 0.99),
      failed: during.length - answered.length - refused.length,
      recoveredMs: lastWorse(after!, beside!, 2 * usualP99Ms + 10),
    };
  } finally {
    await Promise.all([server.stop(), other.stop()]);
  }
}

async function startServer(kind: Kind, overload: OverloadOptions | false) {
  const child = fork(program, [JSON.stringify({ kind, overload })]);
  const [address] = (await once(child, 'message')) as [string];
  const client = new Client({ target: address, timeoutMs: DEADLINE_MS, retry: { attempts: 1 } });
  const { work } = client.service(Work);
  return {
    async call(): Promise<Call> {
      const sentAt = performance.now();
      const error = await work({}).then(
        () => undefined,
        (reason: unknown) => RpcError.from(reason),
      );
      return { sentAt, endedAt: performance.now(), error };
    },
    async stop() {
      await client.close();
      child.kill();
    },
  };
}

const isAnswered = ({ error }: Call) => error === undefined;
const isRefused = ({ error }: Call) => error?.code === Status.RESOURCE_EXHAUSTED && !error.maybeExecuted;
const took = ({ sentAt, endedAt }: Call) => endedAt - sentAt;
const durations = (calls: readonly Call[]) => calls.map(took);

const SLICE_MS = 500;

/** The end of the last slice from which on, to the end of all, the calls were worse than the others. */
function lastWorse(calls: readonly Call[], others: readonly Call[], mostMs: number): number {
  for (let start = AFTER_MS - 2 * SLICE_MS; start >= 0; start -= SLICE_MS)
    if (isWorse(since(calls, start), since(others, start), mostMs)) return start + SLICE_MS;
  return 0;
}

const since = (calls: readonly Call[], ms: number) =>
  calls.filter(({ sentAt }) => sentAt - calls[0]!.sentAt >= ms);

/**
 * Whether a twentieth more of the calls than twice as many of the others were not answered, or took too long: on a
 * machine that has other things to do, some of all calls do.
 */
function isWorse(calls: readonly Call[], others: readonly Call[], mostMs: number): boolean {
  const bad = (of: readonly Call[]) =>
    of.filter((call) => !isAnswered(call) || took(call) > mostMs).length / of.length;
  return bad(calls) > 0.05 + 2 * bad(others);
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
