import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  bidi,
  type Call,
  clientStream,
  defineService,
  type Interceptor,
  Metadata,
  RpcError,
  Status,
  serverStream,
  unary,
  whenDone,
} from 'lictor';
import type { EngineName } from '../../transport/named.js';
import { collect, failures, stream } from '../contract/transport.js';
import { pair } from '../pair.js';

type N = { n: number };
const Kinds = defineService('interceptors.Kinds', {
  one: unary<N, N>(),
  many: serverStream<N, N>(),
  sum: clientStream<N, N>(),
  chat: bidi<N, N>(),
});

const start = (interceptors: readonly Interceptor[], transport?: EngineName) =>
  pair(
    Kinds,
    {
      one: ({ n }, context) => {
        context.header.set('x-handler', 'head');
        return { n: n + 1 };
      },
      async *many({ n }) {
        for (let i = 0; i < n; i++) yield { n: i };
      },
      async sum(requests) {
        let n = 0;
        for await (const request of requests) n += request.n;
        return { n };
      },
      chat: (requests) => requests,
    },
    { server: { interceptors }, ...(transport ? { transport } : {}) },
  );

const everyKind = async ({ api }: Awaited<ReturnType<typeof start>>) => [
  await api.one({ n: 1 }),
  await collect(api.many({ n: 2 })),
  await api.sum(stream([{ n: 3 }, { n: 4 }])),
  await collect(api.chat(stream([{ n: 5 }]))),
];
const plain = [{ n: 2 }, [{ n: 0 }, { n: 1 }], { n: 7 }, [{ n: 5 }]];

describe('interceptors of a server', () => {
  test('stand around calls of every kind, the first outermost, and see the call', async () => {
    const order: string[] = [];
    const named =
      (name: string): Interceptor =>
      async (call, next) => {
        assert.equal(call.side, 'server');
        assert.equal(call.service, 'interceptors.Kinds');
        order.push(`${name} ${call.method.name}`);
        const reply = await next(call);
        return whenDone(call, reply, () => order.push(`${name} done`));
      };
    await using it = await start([named('a'), named('b')]);
    assert.deepEqual(await everyKind(it), plain);
    assert.deepEqual(
      order,
      ['One', 'Many', 'Sum', 'Chat'].flatMap((name) => [`a ${name}`, `b ${name}`, 'b done', 'a done']),
    );
  });

  test('may refuse a call, which then has no handler', async () => {
    let handled = 0;
    const refuse: Interceptor = async () => {
      throw new RpcError(Status.UNAUTHENTICATED, 'who are you?');
    };
    const count: Interceptor = (call, next) => {
      handled++;
      return next(call);
    };
    await using it = await start([refuse, count]);
    const calls = [
      it.api.one({ n: 1 }),
      collect(it.api.many({ n: 1 })),
      it.api.sum(stream([{ n: 1 }])),
      collect(it.api.chat(stream([{ n: 1 }]))),
    ];
    for (const error of await failures(...calls)) assert.equal(error.code, Status.UNAUTHENTICATED);
    assert.equal(handled, 0);
    assert.deepEqual(it.log, []);
  });

  test('that fail by mistake fail the call without telling why', async () => {
    const mistakes: Interceptor[] = [
      async () => {
        throw new Error('secret');
      },
      () => {
        throw new Error('secret');
      },
      (async () => undefined) as never,
      (() => undefined) as never,
    ];
    for (const mistake of mistakes) {
      await using it = await start([mistake]);
      for (const error of await failures(it.api.one({ n: 1 }), collect(it.api.many({ n: 1 })))) {
        assert.equal(error.code, Status.UNKNOWN);
        assert.doesNotMatch(error.message, /secret/);
      }
      assert.equal(it.log.length, 2);
    }
  });

  test('may change requests and replies', async () => {
    async function* doubled(messages: AsyncIterable<unknown>) {
      for await (const message of messages) yield twice(message);
    }
    const twice = (message: unknown) => ({ n: (message as N).n * 2 });
    const change = (message: unknown) =>
      message !== null && typeof message === 'object' && Symbol.asyncIterator in message
        ? doubled(message as AsyncIterable<unknown>)
        : twice(message);
    const changing: Interceptor = async (call, next) => {
      const reply = await next({ ...call, message: change(call.message) } as Call);
      return { ...reply, message: change(reply.message) };
    };
    await using it = await start([changing]);
    assert.deepEqual(await everyKind(it), [
      { n: 6 },
      [{ n: 0 }, { n: 2 }, { n: 4 }, { n: 6 }],
      { n: 28 },
      [{ n: 20 }],
    ]);
  });

  for (const transport of [undefined, 'h2', 'grpc-js'] as const) {
    test(`may add to header and trailer over ${transport ?? 'memory'}, for every kind`, async () => {
      const adding: Interceptor = async (call, next) => {
        assert.ok(call.side === 'server');
        call.context.header.set('x-before', '1');
        const reply = await next(call);
        reply.trailer.set('x-trailer', call.method.name);
        return reply;
      };
      await using it = await start([adding], transport);
      const told: string[] = [];
      const options = {
        onHeader: (header: Metadata) =>
          void told.push(`${header.get('x-before')} ${header.get('x-handler')}`),
        onTrailer: (trailer: Metadata) => void told.push(String(trailer.get('x-trailer'))),
      };
      await it.api.one({ n: 1 }, options);
      await collect(it.api.many({ n: 1 }, options));
      await it.api.sum(stream([{ n: 1 }]), options);
      await collect(it.api.chat(stream([{ n: 1 }]), options));
      const none = '1 undefined';
      assert.deepEqual(told, ['1 head', 'One', none, 'Many', none, 'Sum', none, 'Chat']);
    });
  }

  test('may change the metadata and the deadline that the handler sees', async () => {
    const changing: Interceptor = (call, next) => {
      const metadata = call.metadata.clone().set('x-user', 'ann');
      return next({ ...call, metadata, deadline: 1 } as Call);
    };
    const Seen = defineService('interceptors.Seen', {
      one: unary<N, { user?: string; deadline?: number }>(),
    });
    await using it = await pair(
      Seen,
      {
        one: (_, context) => {
          context.header.set('x-handler', 'head');
          return { user: context.metadata.get('x-user')!, deadline: context.deadline! };
        },
      },
      { server: { interceptors: [changing] } },
    );
    let header: Metadata | undefined;
    const reply = await it.api.one(
      { n: 1 },
      {
        onHeader: (came) => {
          header = came;
        },
      },
    );
    assert.deepEqual(reply, { user: 'ann', deadline: 1 });
    assert.equal(header?.get('x-handler'), 'head');
  });

  test('may return a header and a trailer of their own, which are sent', async () => {
    const own: Interceptor = async (call, next) => {
      const reply = await next(call);
      return {
        ...reply,
        header: new Metadata().set('x-own', '1'),
        trailer: new Metadata().set('x-own', '2'),
      };
    };
    await using it = await start([own]);
    const told: unknown[] = [];
    const options = {
      onHeader: (header: Metadata) => void told.push(header.get('x-own')),
      onTrailer: (trailer: Metadata) => void told.push(trailer.get('x-own')),
    };
    await it.api.one({ n: 1 }, options);
    await collect(it.api.many({ n: 1 }, options));
    assert.deepEqual(told, ['1', '2', '1', '2']);
  });

  test('cannot copy the context', async () => {
    const copying: Interceptor = (call, next) => {
      assert.ok(call.side === 'server');
      // @ts-expect-error: its members are not the object's own.
      return next({ ...call, context: { ...call.context } });
    };
    await using it = await start([copying]);
    assert.equal((await failures(it.api.one({ n: 1 })))[0]!.code, Status.UNKNOWN);
    assert.match(String(it.log[0]!.fields?.error), /a copy of the context/);
  });

  test('see metadata of the caller and the deadline', async () => {
    const seen: Call[] = [];
    const look: Interceptor = (call, next) => {
      seen.push(call);
      return next(call);
    };
    await using it = await start([look]);
    await it.api.one({ n: 1 }, { metadata: new Metadata().set('x-user', 'ann'), timeoutMs: 60_000 });
    assert.equal(seen[0]!.metadata.get('x-user'), 'ann');
    assert.ok(seen[0]!.deadline! > performance.now());
    assert.equal(seen[0]!.signal.aborted, false);
  });
});
