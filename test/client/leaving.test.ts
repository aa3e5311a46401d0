import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  bidi,
  type CallOptions,
  defineService,
  type Interceptor,
  RpcError,
  Status,
  serverStream,
  unary,
  whenDone,
} from 'lictor';
import { stream } from '../contract/transport.js';
import { type Deferred, deferred, turns } from '../deferred.js';
import { pair } from '../pair.js';
import { fleet } from './fleet.js';

const LIMIT = { timeout: 20_000 };
type N = { n: number };
const Kinds = defineService('leaving.Kinds', {
  one: unary<N, N>(),
  silent: serverStream<N, N>(),
  endless: serverStream<N, N>(),
  chat: bidi<N, N>(),
});

type Ends = { told: (RpcError | undefined)[] };
const interceptors: Record<string, (ends: Ends) => readonly Interceptor[]> = {
  none: () => [],
  'one that passes on': () => [(call, next) => next(call)],
  whenDone: (ends) => [
    async (call, next) => {
      const done = (error: RpcError | undefined) => {
        if (call.method.kind !== 'unary') ends.told.push(error);
      };
      try {
        return whenDone(call, await next(call), done);
      } catch (error) {
        done(RpcError.from(error));
        throw error;
      }
    },
  ],
  'a generator around the replies': () => [
    async (call, next) => {
      const reply = await next(call);
      if (call.method.kind === 'unary') return reply;
      return { ...reply, message: passing(reply.message as AsyncIterable<unknown>) };
    },
  ],
};
async function* passing(messages: AsyncIterable<unknown>) {
  for await (const message of messages) yield message;
}

/** A server with room for one call at a time. */
async function start(transport: 'h2' | 'grpc-js' | undefined, client: readonly Interceptor[]) {
  let begun: Deferred = deferred();
  async function* silent(_: unknown, { signal }: { signal: AbortSignal }): AsyncGenerator<N> {
    begun.resolve();
    yield* [];
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  }
  async function* endless(): AsyncGenerator<N> {
    for (let n = 0; ; n++) yield { n };
  }
  const it = await pair(
    Kinds,
    { one: (request) => request, silent, endless, chat: silent },
    {
      server: { maxConcurrentCalls: 1 },
      client: { interceptors: client },
      ...(transport ? { transport } : {}),
    },
  );
  return {
    ...it,
    begun: () => {
      begun = deferred();
      return begun.promise;
    },
    /** Resolves when the server has room again; a call that keeps its place lets the test run into its limit. */
    async hasRoom(): Promise<void> {
      for (;;) {
        try {
          await it.api.one({ n: 1 });
          return;
        } catch (error) {
          assert.equal(RpcError.from(error).code, Status.RESOURCE_EXHAUSTED);
          await turns(1);
        }
      }
    },
  };
}

const told = { onHeader: () => {}, onTrailer: () => {} };
const listening: Record<string, CallOptions> = { nothing: {}, 'header and trailer': told };

for (const transport of [undefined, 'h2', 'grpc-js'] as const) {
  describe(`leaving a stream over ${transport ?? 'memory'}`, () => {
    for (const [name, made] of Object.entries(interceptors)) {
      for (const [what, listeners] of Object.entries(listening)) {
        const how = `with interceptors: ${name}, and told: ${what}`;
        const options = () => ({ ...listeners, signal: new AbortController().signal });

        test(`before it has begun calls nobody, ${how}`, LIMIT, async () => {
          const ends: Ends = { told: [] };
          await using it = await start(transport, made(ends));
          const replies = it.api.silent({ n: 1 }, options())[Symbol.asyncIterator]();
          await replies.return!();
          assert.equal((await replies.next()).done, true);
          await it.hasRoom();
          assert.deepEqual(ends.told, []);
        });

        test(`while it connects, or its server is silent, gives its place free, ${how}`, LIMIT, async () => {
          const ends: Ends = { told: [] };
          await using it = await start(transport, made(ends));
          for (const kind of ['silent', 'chat'] as const) {
            for (const waits of [false, true]) {
              // A server on grpc-js never hears of a bidi call that was reset as it arrived, whoever the client is.
              if (transport === 'grpc-js' && kind === 'chat' && !waits) continue;
              ends.told.length = 0;
              const begun = it.begun();
              const replies =
                kind === 'silent'
                  ? it.api.silent({ n: 1 }, options())[Symbol.asyncIterator]()
                  : it.api.chat(stream([{ n: 1 }]), options())[Symbol.asyncIterator]();
              const pending = replies.next();
              if (waits) await begun;
              await replies.return!();
              assert.equal((await pending).done, true);
              assert.equal((await replies.next()).done, true);
              await it.hasRoom();
              if (name === 'whenDone') {
                await turns();
                assert.deepEqual(
                  ends.told.map((error) => error?.status),
                  ['CANCELLED'],
                );
              }
            }
          }
        });

        test(`in its midst gives its place free, ${how}`, LIMIT, async () => {
          const ends: Ends = { told: [] };
          await using it = await start(transport, made(ends));
          for (let i = 0; i < 2; i++) {
            for await (const _ of it.api.endless({ n: 1 }, options())) break;
            await it.hasRoom();
          }
          const replies = it.api.endless({ n: 1 }, options())[Symbol.asyncIterator]();
          await replies.next();
          void replies.next(); // Whatever becomes of it, nobody looks at it.
          await replies.return!();
          await it.hasRoom();
          const cancelled = ends.told.map((error) => error?.status);
          if (name === 'whenDone') assert.deepEqual(cancelled, ['CANCELLED', 'CANCELLED', 'CANCELLED']);
        });
      }
    }

    test('tells the trailer once, and no header that did not come', LIMIT, async () => {
      await using it = await start(transport, []);
      const seen: string[] = [];
      const begun = it.begun();
      const replies = it.api
        .silent(
          { n: 1 },
          { onHeader: () => void seen.push('header'), onTrailer: () => void seen.push('trailer') },
        )
        [Symbol.asyncIterator]();
      const pending = replies.next();
      await begun;
      await Promise.all([replies.return!(), replies.return!(), pending]);
      await it.hasRoom();
      assert.deepEqual(seen, ['trailer']);
    });
  });
}

describe('leaving a stream that waits for the first list of nodes', () => {
  for (const [what, listeners] of Object.entries(listening)) {
    for (const [name, made] of Object.entries(interceptors)) {
      test(`calls nobody, with interceptors: ${name}, and told: ${what}`, LIMIT, async () => {
        await using it = await fleet(['a:1'], { interceptors: made({ told: [] }) });
        const replies = it.api.stream({}, listeners)[Symbol.asyncIterator]();
        const pending = replies.next();
        await turns();
        await replies.return!();
        assert.equal((await pending).done, true);
        it.resolver.nodes('a:1');
        await it.api.who({});
        await turns();
        assert.deepEqual(it.calls, ['a:1 who']);
      });
    }
  }
});

test('a stream left while an interceptor waits for something of its own is over at once, and is not sent', async () => {
  const gate = deferred();
  const waiting: Interceptor = async (call, next) => {
    await gate.promise;
    return next(call);
  };
  await using it = await fleet(['a:1'], { interceptors: [waiting] });
  it.resolver.nodes('a:1');
  const replies = it.api.stream({})[Symbol.asyncIterator]();
  const pending = replies.next();
  await replies.return!();
  assert.equal((await pending).done, true);
  gate.resolve();
  await it.api.who({});
  await turns();
  assert.deepEqual(it.calls, ['a:1 who']);
});

test('a stream whose interceptor fails after it was sent is cancelled', LIMIT, async () => {
  const failing: Interceptor = async (call, next) => {
    const reply = await next(call);
    if (call.method.kind === 'unary') return reply;
    throw new RpcError(Status.ABORTED, 'changed its mind');
  };
  await using it = await start(undefined, [failing]);
  await assert.rejects(it.api.endless({ n: 1 })[Symbol.asyncIterator]().next(), /changed its mind/);
  await it.hasRoom();
});
