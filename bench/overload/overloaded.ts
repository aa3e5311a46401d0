import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, type OverloadOptions, RpcError, Status } from 'lictor';
import { quantile } from '../../test/faults/figures.js';
import { badShare, type Call, recoveredAfter, tookMs } from './recovery.js';
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
   * Calls a second that a server answers when it always has some to do: the lesser of what this one did before, and
   * another after it, as a machine that others use too may become slower meanwhile.
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
  /** When it was well again, after the load was half of what it can do; see `recoveredAfter`. */
  readonly recoveredMs: number;
  /** The share of bad calls at the server that this is compared with: when it is large, nothing is known. */
  readonly badBeside: number;
  /** What it does afterwards when it always has some to do, of what the other does. */
  readonly capacityAfter: number;
};

const DEADLINE_MS = 1_000;
/** Calls at a time while the capacity is measured: more than any of the servers needs. */
const CLOSED_LOOP = 40;
const AFTER_MS = 8_000;
/** In which the two servers are compared in the end. */
const ROUNDS = 4;
const program = fileURLToPath(new URL('./server.js', import.meta.url));

/** Sends a server in a process of its own too many calls; another, which never gets too many, is there to compare. */
export async function overloaded({ kind, overload, seconds, times }: Overloading): Promise<Overloaded> {
  await using server = await startServer(kind, overload);
  await using other = await startServer(kind, overload);
  const { call } = server;
  await closedLoop(call, 1_000);
  const capacity = await closedLoop(call, 3_000);
  const sendBothHalf = (ms: number) =>
    Promise.all([openLoop(call, capacity / 2, ms), openLoop(other.call, capacity / 2, ms)]);
  // With the other beside it, which warms that one up, as afterwards.
  const [before] = await sendBothHalf(3_000);
  const usualP99Ms = quantile(before.filter(isAnswered).map(tookMs), 0.99);
  const during = await openLoop(call, capacity * times, seconds * 1_000);
  const [after, beside] = await sendBothHalf(AFTER_MS);
  await closedLoop(other.call, 1_000);
  // In turn, since a machine that is busy does not stay equally busy.
  let own = 0;
  let others = 0;
  for (let round = 0; round < ROUNDS; round++) {
    own += (await closedLoop(call, 1_000)) / ROUNDS;
    others += (await closedLoop(other.call, 1_000)) / ROUNDS;
  }
  const answered = during.filter(isAnswered);
  const refused = during.filter(isRefused);
  const mostMs = 2 * usualP99Ms + 10;
  return {
    capacity: Math.min(capacity, others),
    goodput: answered.length / seconds,
    usualP99Ms,
    answeredP99Ms: quantile(answered.map(tookMs), 0.99),
    refused: refused.length,
    refusedP50Ms: quantile(refused.map(tookMs), 0.5),
    refusedP99Ms: quantile(refused.map(tookMs), 0.99),
    failed: during.length - answered.length - refused.length,
    recoveredMs: recoveredAfter(after, beside, AFTER_MS, mostMs),
    badBeside: badShare(beside, mostMs),
    capacityAfter: own / others,
  };
}

async function startServer(kind: Kind, overload: OverloadOptions | false) {
  const child = fork(program, [JSON.stringify({ kind, overload })]);
  const [address] = (await once(child, 'message')) as [string];
  const client = new Client({ target: address, timeoutMs: DEADLINE_MS, retry: { attempts: 1 } });
  const { work } = client.service(Work);
  return {
    async call(): Promise<Sent> {
      const sentAt = performance.now();
      const error = await work({}).then(
        () => undefined,
        (reason: unknown) => RpcError.from(reason),
      );
      return { sentAt, endedAt: performance.now(), error };
    },
    [Symbol.asyncDispose]: () => client.close().finally(() => child.kill()),
  };
}

type Sent = Call & { readonly error: RpcError | undefined };

const isAnswered = ({ error }: Sent) => error === undefined;
const isRefused = ({ error }: Sent) => error?.code === Status.RESOURCE_EXHAUSTED && !error.maybeExecuted;

/** @returns calls a second */
async function closedLoop(call: () => Promise<Sent>, ms: number): Promise<number> {
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
async function openLoop(call: () => Promise<Sent>, perSecond: number, ms: number): Promise<Sent[]> {
  const calls: Promise<Sent>[] = [];
  const start = performance.now();
  while (performance.now() < start + ms) {
    for (const due = ((performance.now() - start) / 1_000) * perSecond; calls.length < due; )
      calls.push(call());
    await sleep(1);
  }
  return Promise.all(calls);
}
