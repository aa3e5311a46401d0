import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  bidi,
  type CallOptions,
  type ClientOptions,
  clientStream,
  defineService,
  type Engine,
  type Implementation,
  type Interceptor,
  RpcError,
  type ServerOptions,
  type ServiceClient,
  Status,
  serverStream,
  unary,
  whenDone,
} from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { deferred } from '../deferred.js';
import { pair } from '../pair.js';
import { collect, failure } from './transport.js';

type Seen = { seen: string };
type Empty = Record<string, never>;

const Who = defineService('lictor.test.Who', {
  unary: unary<Empty, Seen>({ idempotent: true }),
  replies: serverStream<Empty, Seen>(),
  requests: clientStream<Empty, Seen>(),
  both: bidi<Empty, Seen>(),
});
type Api = ServiceClient<typeof Who.methods>;

const user = new AsyncLocalStorage<string>();
const trace = new AsyncLocalStorage<string>();
const now = (): string => user.getStore() ?? 'nobody';

/** Says who the user is at each step of each kind. */
const steps: Implementation<typeof Who.methods> = {
  async unary() {
    const first = now();
    await sleep(1);
    return { seen: `${first} ${now()}` };
  },
  async *replies() {
    yield { seen: now() };
    yield { seen: now() };
    await sleep(1);
    yield { seen: now() };
  },
  async requests(requests) {
    const seen = [now()];
    for await (const _ of requests) seen.push(now());
    return { seen: [...seen, now()].join(' ') };
  },
  async *both(requests) {
    yield { seen: now() };
    for await (const _ of requests) yield { seen: now() };
    yield { seen: now() };
  },
};

async function* two(): AsyncGenerator<Empty, void> {
  yield {};
  await sleep(1);
  yield {};
}

const kinds: Readonly<Record<string, (api: Api, options?: CallOptions) => Promise<string[]>>> = {
  unary: async (api, options) => [(await api.unary({}, options)).seen],
  'server stream': async (api, options) => (await collect(api.replies({}, options))).map(({ seen }) => seen),
  'client stream': async (api, options) => [(await api.requests(two(), options)).seen],
  bidi: async (api, options) => (await collect(api.both(two(), options))).map(({ seen }) => seen),
};

/** All that one call saw, as a set: one word when every step saw the same. */
const words = (seen: readonly string[]) => [...new Set(seen.flatMap((text) => text.split(' ')))].join(' ');

const entering: Interceptor = (call, next) => {
  const name = call.metadata.get('user');
  if (name) user.enterWith(name);
  return next(call);
};
const running: Interceptor = (call, next) => {
  const name = call.metadata.get('user');
  return name ? user.run(name, () => next(call)) : next(call);
};
/** Wraps replies in a generator, which says who the user is at its own steps. */
const wrapping: Interceptor = async (call, next) => {
  const reply = await next(call);
  if (call.method.kind === 'unary' || call.method.kind === 'clientStream') return reply;
  async function* wrapped() {
    for await (const message of reply.message as AsyncIterable<Seen>)
      yield { seen: `${message.seen} ${now()}` };
  }
  return { ...reply, message: wrapped() };
};

/** What every engine must do: a call is an async context of its own, on both sides. */
export function contextContract(name: string, transport: () => Engine | 'grpc-js' | 'h2'): void {
  const start = (
    implementation: Implementation<typeof Who.methods>,
    server: ServerOptions = {},
    client: ClientOptions = {},
  ) => pair(Who, implementation, { transport: transport(), server, client });

  describe(`async contexts: ${name}`, { timeout: 60_000 }, () => {
    for (const [kind, call] of Object.entries(kinds)) {
      describe(kind, () => {
        for (const [how, interceptor] of Object.entries({ entering, running })) {
          it(`a store ${how === 'running' ? 'run' : 'entered'} by an interceptor is seen at each step, and by no other call`, async () => {
            await using server = await start(steps, { interceptors: [interceptor, wrapping] });
            const { api } = server;
            await call(api);
            const users = [undefined, 'alice', undefined, 'bob', undefined, 'carol'];
            for (let round = 0; round < 5; round++) {
              const seen = await Promise.all(
                users.map(async (name) => words(await call(api, name ? { metadata: { user: name } } : {}))),
              );
              assert.deepEqual(
                seen,
                users.map((name) => name ?? 'nobody'),
              );
            }
          });
        }

        it('a store that a handler enters is seen by no other call, also not by those of a queue', async () => {
          const enter = (context: { metadata: { get(key: string): string | undefined } }) => {
            const before = now();
            const name = context.metadata.get('user');
            if (name) user.enterWith(name);
            return before;
          };
          await using server = await start(
            {
              unary: (_, context) => ({ seen: enter(context) }),
              async *replies(_, context) {
                yield { seen: enter(context) };
                // A reply more, so that the server's loop runs in what was entered.
                yield { seen: 'nobody' };
              },
              async requests(requests, context) {
                const seen = enter(context);
                for await (const _ of requests);
                return { seen };
              },
              async *both(requests, context) {
                yield { seen: enter(context) };
                for await (const _ of requests);
              },
            },
            { overload: { minConcurrentCalls: 2 } },
          );
          for (let round = 0; round < 5; round++) {
            const seen = await Promise.all(
              Array.from({ length: 40 }, async (_, i) =>
                words(await call(server.api, i % 2 ? { metadata: { user: `user${i}` } } : {})),
              ),
            );
            assert.deepEqual([...new Set(seen)], ['nobody']);
          }
        });

        it("the client's stores do not reach the server, nor the server's the client", async () => {
          await using server = await start(steps, { interceptors: [entering] });
          const seen = await user.run('client', async () => {
            const of = words(await call(server.api));
            assert.equal(now(), 'client');
            await call(server.api, { metadata: { user: 'server' } });
            assert.equal(now(), 'client');
            return of;
          });
          assert.equal(seen, 'nobody');
        });

        it('what an interceptor of the client runs is the context of what is behind it, and of its own replies', async () => {
          const seen: string[] = [];
          const look: Interceptor = async (call, next) => {
            seen.push(now());
            return wrapping(call, next);
          };
          const outer: Interceptor = (call, next) => user.run('outer', () => next(call));
          await using server = await start(steps, {}, { interceptors: [outer, look] });
          const replies = await user.run('caller', () => call(server.api));
          assert.deepEqual(seen, ['outer']);
          // The server's side saw nobody; the generator of the inner interceptor is within the outer one.
          const streams = kind === 'server stream' || kind === 'bidi';
          assert.equal(words(replies), streams ? 'nobody outer' : 'nobody');
        });

        it('onHeader and onTrailer run in the context of their call, whoever opened the connection', async () => {
          await using server = await start({
            unary: (_, context) => {
              context.header.set('x', '1');
              return { seen: '' };
            },
            async *replies(_, context) {
              context.header.set('x', '1');
              yield { seen: '' };
            },
            async requests(requests, context) {
              context.header.set('x', '1');
              for await (const _ of requests);
              return { seen: '' };
            },
            async *both(requests, context) {
              context.header.set('x', '1');
              for await (const _ of requests) yield { seen: '' };
            },
          });
          await user.run('first', () => call(server.api));
          const calls = ['alice', 'bob', 'carol'].map(async (name) => {
            const seen: string[] = [];
            const note = () => seen.push(now());
            await user.run(name, () => call(server.api, { onHeader: note, onTrailer: note }));
            return seen;
          });
          assert.deepEqual(await Promise.all(calls), [
            ['alice', 'alice'],
            ['bob', 'bob'],
            ['carol', 'carol'],
          ]);
        });

        it('whenDone notifies in the context in which it was called, on both sides', async () => {
          const seen: Record<string, string[]> = { client: [], server: [] };
          const noting: Interceptor = (call, next) =>
            user.run(`${call.side}'s`, async () =>
              whenDone(call, await next(call), () => seen[call.side]!.push(now())),
            );
          await using server = await start(steps, { interceptors: [noting] }, { interceptors: [noting] });
          await call(server.api);
          assert.deepEqual(seen, { client: ["client's"], server: ["server's"] });
        });

        it('abort listeners of a handler run in the context in which the handler ran', async () => {
          const aborted = deferred<string>();
          const listen = ({ signal }: { signal: AbortSignal }) =>
            new Promise<never>((_, reject) => {
              signal.addEventListener('abort', () => {
                aborted.resolve(now());
                reject(signal.reason);
              });
            });
          // A copy has the signal, so that it is asked for before the handler is called.
          const copying: Interceptor = (call, next) => next({ ...call });
          await using server = await start(
            {
              unary: (_, context) => listen(context),
              async *replies(_, context) {
                yield { seen: '' };
                await listen(context);
              },
              requests: (_, context) => listen(context),
              async *both(_, context) {
                yield { seen: '' };
                await listen(context);
              },
            },
            { interceptors: [copying, running] },
          );
          await call(server.api, { metadata: { user: 'alice' }, timeoutMs: 50 }).catch(() => {});
          assert.equal(await aborted.promise, 'alice');
        });
      });
    }

    it("the steps of the caller's requests run in the caller's context, their end included", async () => {
      await using server = await start(steps);
      const seen: string[] = [];
      async function* requests() {
        try {
          for (let i = 0; i < 3; i++) {
            seen.push(now());
            yield {};
          }
          await sleep(1);
          seen.push(now());
          yield {};
        } finally {
          seen.push(now());
        }
      }
      await user.run('first', () => server.api.unary({}));
      await user.run('alice', () => server.api.requests(requests()));
      assert.deepEqual([...new Set(seen)], ['alice']);
      assert.equal(seen.length, 5);
    });

    it('a stream that is made in one context and read in another is called in the first', async () => {
      const seen: string[] = [];
      const look: Interceptor = (call, next) => {
        seen.push(now());
        return next(call);
      };
      await using server = await start(steps, {}, { interceptors: [look] });
      const replies = user.run('maker', () =>
        server.api.replies({}, { onHeader: () => seen.push(now()), onTrailer: () => seen.push(now()) }),
      );
      await user.run('reader', () => collect(replies));
      assert.deepEqual(seen, ['maker', 'maker', 'maker']);
    });

    for (const interceptors of [[], [running]]) {
      it(`requests of a stream that is read elsewhere are made in its caller's context, with ${interceptors.length} interceptors`, async () => {
        await using server = await start(steps, {}, { interceptors });
        const seen: string[] = [];
        async function* requests() {
          try {
            seen.push(now());
            yield {};
            await sleep(1);
            seen.push(now());
            yield {};
          } finally {
            seen.push(now());
          }
        }
        const replies = user.run('maker', () => server.api.both(requests()));
        await user.run('reader', () => collect(replies));
        assert.deepEqual(seen, ['maker', 'maker', 'maker']);
      });
    }

    it('an interceptor may take the first message from an iterator, and the others by for await', async () => {
      async function* restOf(messages: unknown) {
        const iterator = (messages as AsyncIterable<unknown>)[Symbol.asyncIterator]();
        yield (await iterator.next()).value;
        // As a generator's, it can be iterated itself.
        yield* iterator as AsyncIterableIterator<unknown>;
      }
      const peeking: Interceptor = async (call, next) => {
        const reply = await next({ ...call, message: restOf(call.message) });
        return call.method.kind === 'bidi' ? { ...reply, message: restOf(reply.message) } : reply;
      };
      const interceptors = [peeking, running];
      await using server = await start(
        {
          ...steps,
          async requests(requests) {
            return { seen: `${(await collect(requests)).length}` };
          },
        },
        { interceptors },
        { interceptors },
      );
      assert.equal((await server.api.requests(two())).seen, '2');
      assert.equal((await collect(server.api.both(two()))).length, 4);
    });

    it('calls that handlers make have the stores of the handler, and none of those the stores of another', async () => {
      await using inner = await start(steps, { interceptors: [entering] });
      const forward = (): CallOptions => ({ metadata: { user: now() } });
      await using outer = await start(
        {
          unary: async () => inner.api.unary({}, forward()),
          async *replies() {
            yield { seen: now() };
            yield { seen: words(await kinds.unary!(inner.api, forward())) };
            yield* inner.api.replies({}, forward());
          },
          async requests(requests) {
            for await (const _ of requests);
            return inner.api.requests(two(), forward());
          },
          async *both(requests) {
            for await (const _ of requests) yield* inner.api.both(two(), forward());
          },
        },
        { interceptors: [entering] },
      );
      for (const call of Object.values(kinds)) {
        const users = ['alice', 'bob', 'carol'];
        const seen = await Promise.all(
          users.map(async (name) => words(await call(outer.api, { metadata: { user: name } }))),
        );
        assert.deepEqual(seen, users);
      }
    });

    it('a deadline that an interceptor of the server shortens holds for calls of all kinds of handlers', async () => {
      const left: number[] = [];
      const note = (_: unknown, { remainingMs }: { remainingMs: number }) => {
        left.push(remainingMs);
        return { seen: '' };
      };
      await using inner = await start({ ...steps, unary: note });
      const shorten: Interceptor = (call, next) => next({ ...call, deadline: performance.now() + 700 });
      await using outer = await start(
        {
          unary: () => inner.api.unary({}),
          async *replies() {
            yield inner.api.unary({});
            await sleep(1);
            yield inner.api.unary({});
          },
          async requests(requests) {
            for await (const _ of requests);
            return inner.api.unary({});
          },
          async *both(requests) {
            for await (const _ of requests) yield inner.api.unary({});
          },
        },
        { interceptors: [shorten] },
      );
      for (const call of Object.values(kinds)) await call(outer.api, { timeoutMs: 30_000 });
      assert.equal(left.length, 6);
      assert.ok(
        left.every((ms) => ms > 0 && ms <= 700),
        `${left}`,
      );
    });

    it('retries and hedges run callbacks and nested calls in the context of their call', async () => {
      let attempts = 0;
      for (const retry of [{ minDelayMs: 0, maxDelayMs: 5 }, { hedgeAfterMs: 5 }]) {
        await using server = await start(
          {
            ...steps,
            async unary(_, context) {
              context.header.set('x', '1');
              if (attempts++ % 2 === 0) {
                // Long enough for a hedge.
                await sleep(20);
                throw new RpcError(Status.UNAVAILABLE, 'busy');
              }
              return { seen: 'again' };
            },
          },
          {},
          { retry },
        );
        const calls = ['alice', 'bob'].map(async (name) => {
          const seen: string[] = [];
          const note = () => seen.push(now());
          const reply = user.run(name, () => server.api.unary({}, { onHeader: note, onTrailer: note }));
          await reply.catch(() => {});
          return [...new Set(seen)];
        });
        assert.deepEqual(await Promise.all(calls), [['alice'], ['bob']]);
      }
    });

    it('what a client starts for all of its calls runs outside of the call that needed it first', async () => {
      await using server = await start(steps);
      const seen: string[] = [];
      const nodes = fixed([server.server.address]);
      const resolver = {
        describe: (service: string) => nodes.describe(service),
        async *watch(service: string, signal: AbortSignal) {
          seen.push(now());
          for await (const resolution of nodes.watch(service, signal)) {
            await sleep(1);
            seen.push(now());
            yield resolution;
          }
        },
      };
      await using other = await start(steps, {}, { resolver, target: undefined });
      // The server of `other` is not the one that is found.
      await user.run('alice', () => other.api.unary({})).catch(() => {});
      assert.deepEqual(seen, ['nobody', 'nobody']);
    });

    it('several storages, of which each has its own part of the context, do not mix', async () => {
      const both: Interceptor = (call, next) =>
        trace.run(`trace of ${call.metadata.get('user')}`, () => running(call, next));
      await using server = await start(
        {
          ...steps,
          async *replies() {
            yield { seen: `${now()}/${trace.getStore()}` };
            await sleep(1);
            yield { seen: `${now()}/${trace.getStore()}` };
          },
        },
        { interceptors: [both] },
      );
      const users = ['alice', 'bob', 'carol'];
      const seen = await Promise.all(
        users.map(async (name) => collect(server.api.replies({}, { metadata: { user: name } }))),
      );
      assert.deepEqual(
        seen,
        users.map((name) => [{ seen: `${name}/trace of ${name}` }, { seen: `${name}/trace of ${name}` }]),
      );
    });

    it('a failed call leaves nothing behind', async () => {
      await using server = await start(
        {
          ...steps,
          unary: (_, { metadata }) => {
            const seen = now();
            if (!metadata.get('user')) return { seen };
            user.enterWith('failed');
            throw new RpcError(Status.INVALID_ARGUMENT, 'no');
          },
        },
        { interceptors: [entering] },
      );
      for (let i = 0; i < 5; i++) {
        const failing = failure(server.api.unary({}, { metadata: { user: 'alice' } }));
        const [seen] = await Promise.all([server.api.unary({}), failing]);
        assert.equal(seen.seen, 'nobody');
      }
    });
  });
}
