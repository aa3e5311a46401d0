import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';
import {
  bidi,
  type Call,
  type CallOptions,
  Client,
  clientStream,
  defineService,
  fromGrpcDefinition,
  type GrpcDefinition,
  type Interceptor,
  loadProto,
  Metadata,
  memory,
  RpcError,
  Server,
  Status,
  serverStream,
  silentLogger,
  unary,
  whenDone,
} from 'lictor';
import type { EngineName } from '../../transport/named.js';
import { collect, failure, failures, stream } from '../contract/transport.js';
import { pair } from '../pair.js';

type N = { n: number };
const Kinds = defineService('calls.Kinds', {
  one: unary<N, N>(),
  many: serverStream<N, N>(),
  sum: clientStream<N, N>(),
  chat: bidi<N, N>(),
});
const LIMIT = { timeout: 20_000 };

const start = (interceptors: readonly Interceptor[] = [], transport?: EngineName) =>
  pair(
    Kinds,
    {
      one: ({ n }, context) => {
        context.header.set('x-head', String(context.metadata.get('x-added')));
        context.trailer.set('x-tail', '1');
        return { n: n + 1 };
      },
      async *many({ n }, context) {
        context.header.set('x-head', String(context.metadata.get('x-added')));
        context.trailer.set('x-tail', '1');
        for (let i = 0; i < n; i++) yield { n: i };
      },
      async sum(requests, context) {
        context.header.set('x-head', String(context.metadata.get('x-added')));
        let n = 0;
        for await (const request of requests) n += request.n;
        context.trailer.set('x-tail', '1');
        return { n };
      },
      async *chat(requests, context) {
        context.header.set('x-head', String(context.metadata.get('x-added')));
        yield* requests;
        context.trailer.set('x-tail', '1');
      },
    },
    { client: { interceptors }, ...(transport ? { transport } : {}) },
  );

const everyKind = async ({ api }: Awaited<ReturnType<typeof start>>, options?: CallOptions) => [
  await api.one({ n: 1 }, options),
  await collect(api.many({ n: 2 }, options)),
  await api.sum(stream([{ n: 3 }, { n: 4 }]), options),
  await collect(api.chat(stream([{ n: 5 }]), options)),
];
const plain = [{ n: 2 }, [{ n: 0 }, { n: 1 }], { n: 7 }, [{ n: 5 }]];

for (const transport of [undefined, 'h2', 'grpc-js'] as const) {
  describe(`interceptors of a client over ${transport ?? 'memory'}`, () => {
    test(
      'stand around calls of every kind, the first outermost, and see header and trailer',
      LIMIT,
      async () => {
        const order: string[] = [];
        const named =
          (name: string): Interceptor =>
          async (call, next) => {
            assert.equal(call.side, 'client');
            order.push(`${name} ${call.method.name}`);
            const reply = await next(call);
            order.push(`${name} header ${reply.header.get('x-head')}`);
            return whenDone(call, reply, (error) =>
              order.push(`${name} trailer ${error?.status ?? reply.trailer.get('x-tail')}`),
            );
          };
        const adding: Interceptor = (call, next) => {
          call.metadata.set('x-added', 'yes');
          return next(call);
        };
        await using it = await start([named('a'), adding, named('b')], transport);
        assert.deepEqual(await everyKind(it), plain);
        assert.deepEqual(
          order,
          ['One', 'Many', 'Sum', 'Chat'].flatMap((name) => [
            ...[`a ${name}`, `b ${name}`, 'b header yes'],
            // One reply is whole when it is there; a stream has its header before its end.
            ...(name === 'One' || name === 'Sum'
              ? ['b trailer 1', 'a header yes', 'a trailer 1']
              : ['a header yes', 'b trailer 1', 'a trailer 1']),
          ]),
        );
      },
    );

    test('may change messages, and leave the caller’s metadata as it was', LIMIT, async () => {
      async function* doubled(messages: AsyncIterable<unknown>) {
        for await (const message of messages) yield twice(message);
      }
      const twice = (message: unknown) => ({ n: (message as N).n * 2 });
      const change = (message: unknown) =>
        typeof message === 'object' && message !== null && Symbol.asyncIterator in message
          ? doubled(message as AsyncIterable<unknown>)
          : twice(message);
      const changing: Interceptor = async (call, next) => {
        call.metadata.set('x-added', 'yes');
        const reply = await next({ ...call, message: change(call.message) } as Call);
        return { ...reply, message: change(reply.message) };
      };
      await using it = await start([changing], transport);
      const metadata = new Metadata();
      assert.deepEqual(await everyKind(it, { metadata }), [
        { n: 6 },
        [{ n: 0 }, { n: 2 }, { n: 4 }, { n: 6 }],
        { n: 28 },
        [{ n: 20 }],
      ]);
      assert.equal(metadata.size, 0);
    });

    test('may refuse a call, which is then not sent, and may send it twice', LIMIT, async () => {
      const refuse: Interceptor = async () => {
        throw new RpcError(Status.PERMISSION_DENIED, 'not today');
      };
      await using it = await start([refuse], transport);
      const calls = [
        it.api.one({ n: 1 }),
        collect(it.api.many({ n: 1 })),
        it.api.sum(stream([{ n: 1 }])),
        collect(it.api.chat(stream([{ n: 1 }]))),
      ];
      for (const error of await failures(...calls)) assert.equal(error.code, Status.PERMISSION_DENIED);
      const twice: Interceptor = async (call, next) => {
        await next(call);
        return next(call);
      };
      await using other = await start([twice], transport);
      assert.deepEqual(await other.api.one({ n: 1 }), { n: 2 });
    });

    test('pass on each reply of a stream when it comes, not when the stream ends', LIMIT, async () => {
      await using it = await start([(call, next) => next(call)], transport);
      const Silent = defineService('calls.Silent', { chat: bidi<N, N>() });
      await using silent = await pair(
        Silent,
        { chat: (requests) => requests },
        { client: { interceptors: [(call, next) => next(call)] }, ...(transport ? { transport } : {}) },
      );
      for (const chat of [it.api.chat, silent.api.chat]) {
        let answer = () => {};
        async function* requests() {
          for (let n = 0; n < 3; n++) {
            const answered = new Promise<void>((resolve) => {
              answer = resolve;
            });
            yield { n };
            await answered;
          }
        }
        const seen: number[] = [];
        for await (const { n } of chat(requests())) {
          seen.push(n);
          answer();
        }
        assert.deepEqual(seen, [0, 1, 2]);
      }
    });

    test('see failures as RpcErrors', LIMIT, async () => {
      const seen: unknown[] = [];
      const look: Interceptor = (call, next) =>
        next(call).catch((error) => {
          seen.push(error);
          throw error;
        });
      await using it = await start([look], transport);
      await failure(it.api.one({ n: 1 }, { timeoutMs: 0 }));
      await failure(it.api.sum(stream([{ n: 1 }]), { signal: AbortSignal.abort() }));
      assert.deepEqual(
        seen.map((error) => error instanceof RpcError && error.status),
        ['DEADLINE_EXCEEDED', 'CANCELLED'],
      );
    });
  });

  describe(`onHeader and onTrailer over ${transport ?? 'memory'}`, () => {
    const told = new TypeError('told too much');
    const broken = () => {
      throw told;
    };

    test('that throw fail their call, and nothing else', LIMIT, async () => {
      await using it = await start([], transport);
      for (const options of [{ onHeader: broken }, { onTrailer: broken }]) {
        const calls = [
          it.api.one({ n: 1 }, options),
          collect(it.api.many({ n: 100 }, options)),
          it.api.sum(stream([{ n: 1 }]), options),
          collect(it.api.chat(stream(Array.from({ length: 100 }, () => ({ n: 1 }))), options)),
        ];
        for (const error of await failures(...calls)) {
          assert.equal(error.code, Status.UNKNOWN);
          assert.equal(error.cause, told);
        }
      }
      assert.deepEqual(await everyKind(it), plain);
    });
  });
}

describe('calls by path', () => {
  test('of a service that the client knows travel as it says, others as JSON', LIMIT, async () => {
    const types: string[] = [];
    const proto = loadProto(
      fileURLToPath(new URL('../../../examples/helloworld/helloworld.proto', import.meta.url)),
    );
    const Greeter = proto.service('helloworld.Greeter');
    const transport = memory();
    await using server = new Server({ transport, logger: silentLogger });
    server.registerService(Greeter, { sayHello: ({ msg }: { msg: string }) => ({ msg: `hello ${msg}` }) });
    await server.serve();
    const seeing: typeof transport = {
      ...transport,
      connect(options) {
        const connection = transport.connect(options);
        return {
          unary(call) {
            types.push(call.wire.contentType);
            return connection.unary(call);
          },
          stream: (call, requests) => connection.stream(call, requests),
          close: (graceMs) => connection.close(graceMs),
        };
      },
    };
    await using client = new Client({ transport: seeing, target: server.address });
    const hello = () => client.call('/helloworld.Greeter/SayHello', { msg: 'lictor' });
    assert.deepEqual(await hello(), { msg: 'hello lictor' });
    assert.deepEqual(await client.service(Greeter).sayHello!({ msg: 'x' }), { msg: 'hello x' });
    assert.deepEqual(await hello(), { msg: 'hello lictor' });
    assert.deepEqual(types, ['application/grpc+json', 'application/grpc+proto', 'application/grpc+proto']);
  });

  test('with a bad path, or of a stream, are refused', LIMIT, async () => {
    await using it = await start();
    for (const path of [
      '',
      '/',
      'a/b',
      '/a',
      '/a/',
      '//b',
      '/a/b/c',
      '/a/b/',
      '/a b/c',
      '/../b',
      '/a/b?c',
      '/a/%2e',
    ]) {
      const error = await failure(it.client.call(path, {}));
      assert.equal(error.code, Status.INVALID_ARGUMENT, path);
    }
    for (const name of ['Many', 'Sum', 'Chat']) {
      const error = await failure(it.client.call(`/calls.Kinds/${name}`, {}));
      assert.equal(error.code, Status.INVALID_ARGUMENT);
      assert.match(error.message, /is a stream/);
    }
    assert.deepEqual(await it.client.call('/calls.Kinds/One', { n: 1 }), { n: 2 });
  });

  test('of a stream that the client does not know are refused by the server', LIMIT, async () => {
    const transport = memory();
    await using it = await pair(Kinds, {} as never, { transport });
    await using other = new Client({ transport, target: it.server.address });
    for (const name of ['Many', 'Sum', 'Chat'])
      assert.notEqual((await failure(other.call(`/calls.Kinds/${name}`, { n: 1 }))).code, Status.OK);
  });
});

test('a definition made for grpc-js is taken on both sides', LIMIT, async () => {
  const file = fileURLToPath(new URL('../../../examples/helloworld/helloworld.proto', import.meta.url));
  const loaded = loadSync(file)['helloworld.Greeter'] as unknown as GrpcDefinition;
  await using server = new Server({ logger: silentLogger });
  const handlers = Object.fromEntries(
    Object.keys(fromGrpcDefinition(loaded).methods).map((key) => [
      key,
      ({ msg }: { msg: string }) => ({ msg: `hello ${msg}` }),
    ]),
  );
  server.registerService(loaded, handlers as never);
  await server.serve();
  await using client = new Client({ target: server.address });
  const api = client.service(loaded) as unknown as Record<string, (m: object) => Promise<unknown>>;
  const [key] = Object.keys(handlers);
  assert.deepEqual(await api[key!]!({ msg: 'grpc-js' }), { msg: 'hello grpc-js' });
  assert.deepEqual(await client.call('/helloworld.Greeter/SayHello', { msg: 'path' }), { msg: 'hello path' });
});
