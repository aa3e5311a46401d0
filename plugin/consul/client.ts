import { setTimeout as sleep } from 'node:timers/promises';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { AgentAddress } from './agent-address.js';
import { type Answer, answerOf } from './answer.js';
import { type Doing, failureOf } from './failure.js';
import { NotKept, wasLostBeforeSeen, wasNeverSent } from './guard.js';
import type { Lane } from './lane.js';
import { cancelledBy, createNpmConsul } from './npm-consul.js';
import { waitAfter } from './retry-after.js';
import type { ConsulTls } from './tls.js';
import type { TokenSource } from './token.js';

/** One request to Consul, and how its answer is read. */
export type ConsulRequest<T> = {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Below `/v1`, with the places of `params`, which are encoded: `/kv/{key}`. */
  readonly path: string;
  readonly params?: Readonly<Record<string, string>>;
  /** A list is a parameter that is given several times. */
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  /** Sent whole, with its length: Consul ignores the body of a chunked request. */
  readonly body?: string | Uint8Array;
  /** For error messages: `list the keys under "helloworld.Greeter/"`. */
  readonly what: string;
  /** What an ACL policy must grant: `key_prefix "helloworld.Greeter/" { policy = "read" }`. */
  readonly permission: string;
  /** Whether 404 is an answer too, given to `read` like any other. @default false */
  readonly mayBeAbsent?: boolean;
  /**
   * Holds the answer until the source has moved past this, for `waitMs` at most; but a connection that was opened after
   * earlier answers leads to an agent that may have lost its data, so there it is answered at once, as if without it.
   * Undefined, but given, for the first query of a watch.
   */
  readonly since?: bigint | { readonly hash: string } | undefined;
  /** @default 55_000 */
  readonly waitMs?: number | undefined;
  /** Lets any server answer, with what it knows. @default false */
  readonly stale?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For an answer that is not held back. @default the client's */
  readonly timeoutMs?: number | undefined;
  /** @default 'watches' where `since` is given, also as undefined, else 'requests' */
  readonly lane?: Lane | undefined;
  /** Checks the answer, since what answers may be a proxy's error page. @throws BadAnswer */
  readonly read: (answer: Answer) => T;
};

/** All that we ask of Consul goes through here: every request has a deadline, every failure is an RpcError without the token. */
export interface ConsulClient {
  /** For messages: the agent, or the first of several. */
  readonly agent: string;
  /** Tells clients apart that would get different answers: agents, datacenter and a digest of the token. */
  readonly identity: string;
  readonly timeoutMs: number;
  send<T>(request: ConsulRequest<T>): Promise<T>;
}

export type ClientOptions = {
  /** Tried in turn: the next one when an agent cannot be reached. At least one. */
  agents: readonly AgentAddress[];
  token: TokenSource;
  datacenter?: string | undefined;
  tls?: ConsulTls | undefined;
  /** For an answer that Consul does not hold back, in milliseconds. */
  timeoutMs: number;
};

export const WAIT_MS = 55_000;

/** How long to wait after a refusal for the load that does not say it. */
const LIMITED_MS = 500;

/** All else the agent itself knows. */
const OF_THE_LEADER = /^\/(kv|catalog|health)\//;

/** Consul adds up to a sixteenth to `wait`; the rest is for the way. */
const blockingDeadlineMs = (waitMs: number) => Math.ceil((waitMs * 17) / 16) + 2_000;

/** No I/O before the first request. */
export function createConsulClient(options: ClientOptions): ConsulClient {
  const { agents, token, datacenter, timeoutMs } = options;
  const consuls = agents.map((address) => createNpmConsul(address, options.tls));
  let current = 0;
  // Whether the last query of a watch left its connection open for the next one.
  let keeps = false;

  async function once<T>(request: ConsulRequest<T>, at: number): Promise<T> {
    const {
      method,
      path,
      params,
      signal,
      since,
      waitMs = WAIT_MS,
      stale = false,
      mayBeAbsent = false,
    } = request;
    const secret = token.current();
    const lane = request.lane ?? ('since' in request ? 'watches' : 'requests');
    const query: Record<string, string | readonly string[]> = { ...request.query };
    if (datacenter !== undefined) query.dc ??= datacenter;
    if (stale) query.stale = '1';
    // A leader that has just started may not have its data back yet, and would say that there is none.
    else if (lane === 'watches' && since === undefined && OF_THE_LEADER.test(path)) query.consistent = '1';
    if (since !== undefined) {
      if (typeof since === 'bigint') query.index = String(since);
      else query.hash = since.hash;
      query.wait = `${waitMs}ms`;
    }
    const doing: Doing = {
      what: request.what,
      permission: request.permission,
      agent: agents[at]!.text,
      deadlineMs: since === undefined ? (request.timeoutMs ?? timeoutMs) : blockingDeadlineMs(waitMs),
      token: secret,
    };
    const consul = consuls[at]!;
    const { context, unlink } = cancelledBy(signal);
    const send = () =>
      consul.send(
        {
          name: 'lictor',
          method,
          path,
          params: params ?? {},
          query,
          headers: secret === undefined ? {} : { 'x-consul-token': secret },
          ...(request.body === undefined ? {} : { body: Buffer.from(request.body) }),
          ctx: context,
          timeout: doing.deadlineMs,
          buffer: true,
          agent: consul.lanes[lane],
          keptOnly: since !== undefined && lane === 'watches' && keeps,
        },
        mayBeAbsent,
      );
    try {
      const response = await send().catch((error: unknown) => {
        // It gets a new connection. Not a held query: the connection may have been cut because the data is gone, and
        // then its index is of no use any more.
        if (since === undefined && !signal?.aborted && wasLostBeforeSeen(error)) return send();
        throw error;
      });
      if (lane === 'watches') keeps = response.headers.connection !== 'close';
      return request.read(answerOf(response));
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof NotKept) return await once({ ...request, since: undefined, lane }, at);
      if (wasNeverSent(error)) throw new Unreachable(failureOf(error, doing));
      throw failureOf(error, doing);
    } finally {
      unlink();
    }
  }

  /** A request that was refused for the load was not done: it is sent again when its time allows. */
  async function send<T>(request: ConsulRequest<T>): Promise<T> {
    const deadline = performance.now() + (request.timeoutMs ?? timeoutMs);
    for (let tried = 1; ; tried++) {
      try {
        return await sendToAny(request);
      } catch (error) {
        const wanted = waitAfter(error);
        const waitMs = wanted || LIMITED_MS;
        // A watch keeps its own time; and where no time is named, one more try has to do.
        const isOver = performance.now() + waitMs >= deadline || (!wanted && tried > 1);
        if ('since' in request || wanted === undefined || isOver) throw error;
        await sleep(waitMs, undefined, { signal: request.signal }).catch(() =>
          request.signal?.throwIfAborted(),
        );
      }
    }
  }

  async function sendToAny<T>(request: ConsulRequest<T>): Promise<T> {
    for (let tried = 1; ; tried++) {
      const at = current;
      try {
        return await once(request, at);
      } catch (error) {
        if (error instanceof RpcError && error.code === Status.PERMISSION_DENIED && token.refresh()) {
          // The token has just been replaced in its file.
          return once(request, at);
        }
        if (!(error instanceof Unreachable)) throw error;
        // Another request may have moved on already.
        if (current === at) current = (at + 1) % agents.length;
        // An index is of one cluster; whether another agent is of the same one its first answer will show.
        if (tried >= agents.length || request.since !== undefined) {
          unreachable.add(error.reason);
          throw error.reason;
        }
      }
    }
  }

  return {
    agent: agents[0]!.text,
    get identity() {
      return JSON.stringify([agents.map(({ text }) => text), datacenter ?? '', token.digest]);
    },
    timeoutMs,
    send,
  };
}

/** Whether there was no agent to take the request; one that is there may just be without a leader. */
export const isUnreachable = (error: unknown): boolean => error instanceof RpcError && unreachable.has(error);
const unreachable = new WeakSet<RpcError>();

class Unreachable extends Error {
  readonly reason: RpcError;

  constructor(reason: RpcError) {
    super(reason.message);
    this.reason = reason;
  }
}
