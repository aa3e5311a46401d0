import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Call,
  type CallContext,
  Client,
  type ClientOptions,
  type Engine,
  type Implementation,
  type Interceptor,
  Metadata,
  memory,
  RpcError,
  Server,
  type ServerOptions,
  Status,
} from 'lictor';
import { type OpenTracingOptions, opentracing } from 'lictor/plugin/opentracing';
import { initGlobalTracer, type Span, Tracer } from 'opentracing';
import { collect, failure, Probe, stream } from '../contract/transport.js';
import { recordingLogger } from './log.js';
import { RecordingTracer } from './recording-tracer.js';

type ProbeImplementation = Implementation<typeof Probe.methods>;
type Setup = {
  readonly handlers?: Partial<ProbeImplementation>;
  readonly tracer?: Tracer;
  readonly options?: Omit<OpenTracingOptions, 'tracer'>;
  readonly server?: ServerOptions;
  readonly client?: ClientOptions;
};

const HANDLERS: ProbeImplementation = {
  echo: ({ text }) => ({ text }),
  fail: () => {
    throw new RpcError(Status.NOT_FOUND, 'no such thing');
  },
  failWith: () => {
    throw new RpcError(Status.NOT_FOUND, 'not asked here');
  },
  hang: () => new Promise(() => {}),
  told: () => ({ cancelled: false }),
  async *count({ n }) {
    for (let i = 0; i < n; i++) yield { n: i };
  },
  async sum(requests) {
    let sum = 0;
    for await (const { n } of requests) sum += n;
    return { n: sum };
  },
  async *chat(requests) {
    for await (const { n } of requests) yield { n: n * 2 };
  },
};

const numbers = (...all: number[]) => all.map((n) => ({ n }));

/** A traced server and a traced client of it, each with a plugin of its own. */
async function start(transport: Engine | 'grpc-js', setup: Setup = {}) {
  const recorder = new RecordingTracer();
  const tracer = setup.tracer ?? recorder;
  const logger = recordingLogger();
  const plugin = () => opentracing({ ...setup.options, tracer });
  const servers: Server[] = [];
  const clients: Client[] = [];
  const serve = async (handlers: Partial<ProbeImplementation> = {}) => {
    const server = new Server({ transport, logger, plugins: [plugin()], ...setup.server });
    servers.push(server);
    await server.registerService(Probe, { ...HANDLERS, ...handlers }).serve();
    return server;
  };
  const connect = (server: Server, options: ClientOptions = {}) => {
    const client = new Client({ transport, logger, target: server.address, plugins: [plugin()], ...options });
    clients.push(client);
    return client.service(Probe);
  };
  const server = await serve(setup.handlers);
  return {
    tracer: recorder,
    logger,
    server,
    serve,
    connect,
    probe: connect(server, setup.client),
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()));
      await Promise.all(servers.map((server) => server.closeNow()));
    },
  };
}

for (const { name, transport } of [
  { name: 'memory', transport: memory },
  { name: 'grpc-js', transport: () => 'grpc-js' as const },
]) {
  describe(`opentracing over ${name}`, { timeout: 20_000 }, () => {
    const check = (
      title: string,
      run: (traced: Awaited<ReturnType<typeof start>>) => Promise<void>,
      setup?: Setup,
    ) =>
      it(title, async () => {
        await using traced = await start(transport(), setup);
        await run(traced);
      });

    check(
      'a call of each kind is one trace of a client span and a server span',
      async ({ probe, tracer }) => {
        await probe.echo({ text: 'a' });
        await collect(probe.count({ n: 3 }));
        await probe.sum(stream(numbers(1, 2)));
        await collect(probe.chat(stream(numbers(1, 2))));
        await tracer.untilFinished(8);
        assert.deepEqual(
          tracer.paths,
          ['Chat', 'Count', 'Echo', 'Sum']
            .flatMap((method) => [`client ${method}`, `client ${method} > server ${method}`])
            .sort(),
        );
        for (const { tags, logs } of tracer.finished) {
          assert.equal(tags['grpc.status'], 'OK');
          assert.equal(tags['grpc.status_code'], 0);
          assert.ok(!('error' in tags));
          assert.deepEqual(logs, []);
        }
      },
    );

    check('spans are named by path and tagged by the conventions', async ({ probe, tracer, server }) => {
      await probe.echo({ text: 'a' }, { target: server.address });
      const spans = await tracer.untilFinished(2);
      const of = (kind: string) => spans.find((span) => span.kind === kind)!;
      const common = {
        component: 'lictor',
        'rpc.system': 'grpc',
        'rpc.service': 'lictor.test.Probe',
        'rpc.method': 'Echo',
        'grpc.status': 'OK',
        'grpc.status_code': 0,
      };
      assert.equal(of('client').span.operationName(), '/lictor.test.Probe/Echo');
      assert.deepEqual(of('client').tags, {
        ...common,
        'span.kind': 'client',
        'peer.service': 'lictor.test.Probe',
        'peer.address': server.address,
        'peer.ipv4': '127.0.0.1',
        'peer.port': Number(server.address.split(':')[1]),
      });
      assert.equal(of('server').span.operationName(), '/lictor.test.Probe/Echo');
      const { 'peer.address': address, 'peer.ipv4': ip, 'peer.port': port, ...rest } = of('server').tags;
      assert.deepEqual(rest, { ...common, 'span.kind': 'server' });
      if (name === 'memory') assert.deepEqual([address, ip, port], ['memory', undefined, undefined]);
      else assert.deepEqual([ip, address], ['127.0.0.1', `127.0.0.1:${port}`]);
    });

    it('calls made while a call is handled are its children, in handlers of all kinds', async () => {
      await using traced = await start(transport());
      const inner = traced.probe;
      const echo = async (n: number) => ({ n: Number((await inner.echo({ text: String(n) })).text) });
      const outer = traced.connect(
        await traced.serve({
          told: async () => {
            await inner.echo({ text: 'a' });
            return { cancelled: false };
          },
          async *count() {
            yield await echo(1);
            yield await echo(2);
          },
          async sum(requests) {
            let last = { n: 0 };
            for await (const { n } of requests) last = await echo(n);
            return last;
          },
          async *chat(requests) {
            for await (const { n } of requests) yield await echo(n);
          },
        }),
      );
      // All at once, so that one call's context cannot be mistaken for another's.
      await Promise.all([
        outer.told({ text: '' }),
        collect(outer.count({ n: 0 })),
        outer.sum(stream(numbers(1, 2))),
        collect(outer.chat(stream(numbers(1, 2)))),
      ]);
      await traced.tracer.untilFinished(8 + 2 * 7);
      const innerPaths = traced.tracer.paths.filter((path) => path.endsWith('server Echo'));
      assert.deepEqual(
        innerPaths,
        ['Chat', 'Chat', 'Count', 'Count', 'Sum', 'Sum', 'Told'].map(
          (method) => `client ${method} > server ${method} > client Echo > server Echo`,
        ),
      );
    });

    check('a failed call is an error on both sides, with what is known of it', async ({ probe, tracer }) => {
      await failure(probe.fail({ code: 5 }));
      for (const { tags, logs } of await tracer.untilFinished(2)) {
        assert.equal(tags.error, true);
        assert.equal(tags['grpc.status'], 'NOT_FOUND');
        assert.equal(tags['grpc.status_code'], 5);
        assert.equal(logs.length, 1);
        const { 'error.object': error, stack, ...rest } = logs[0]!;
        assert.deepEqual(rest, { event: 'error', 'error.kind': 'NOT_FOUND', message: 'no such thing' });
        assert.ok(error instanceof RpcError);
        assert.equal(typeof stack, 'string');
      }
    });

    check(
      "a handler's unexpected error is told to the server's span and not to the client's",
      async ({ probe, tracer }) => {
        await failure(collect(probe.count({ n: 1 })));
        const spans = await tracer.untilFinished(2);
        const message = (kind: string) => spans.find((span) => span.kind === kind)!.logs[0]!.message;
        assert.equal(message('server'), 'a secret');
        assert.doesNotMatch(String(message('client')), /secret/);
      },
      {
        handlers: {
          // biome-ignore lint/correctness/useYield: it fails before it has anything to give.
          async *count() {
            throw new Error('a secret');
          },
        },
      },
    );

    check(
      'a stream that fails half-way ends its spans with the failure',
      async ({ probe, tracer }) => {
        const error = await failure(collect(probe.count({ n: 1 })));
        assert.equal(error.status, 'DATA_LOSS');
        for (const { tags, logs } of await tracer.untilFinished(2)) {
          assert.equal(tags['grpc.status'], 'DATA_LOSS');
          assert.equal(logs[0]!.message, 'torn');
        }
      },
      {
        handlers: {
          async *count() {
            yield { n: 1 };
            throw new RpcError(Status.DATA_LOSS, 'torn');
          },
        },
      },
    );

    check(
      "a stream's spans last as long as the stream",
      async ({ probe, tracer }) => {
        const replies = probe.count({ n: 2 })[Symbol.asyncIterator]();
        await replies.next();
        assert.equal(tracer.startedCount, 2);
        assert.equal(tracer.finished.length, 0);
        await replies.return?.();
        for (const { tags } of await tracer.untilFinished(2)) {
          assert.equal(tags['grpc.status'], 'CANCELLED', 'left early');
          assert.equal(tags.error, true);
        }
      },
      {
        handlers: {
          async *count(_, { signal }) {
            yield { n: 1 };
            await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
          },
        },
      },
    );

    it('a cancelled call ends its spans, though its handler never settles', async () => {
      let entered = () => {};
      const running = new Promise<void>((resolve) => {
        entered = resolve;
      });
      const hang = () => {
        entered();
        return new Promise<never>(() => {});
      };
      await using traced = await start(transport(), { handlers: { hang } });
      const abort = new AbortController();
      const call = failure(traced.probe.hang({ text: '' }, { signal: abort.signal }));
      await running;
      abort.abort();
      assert.equal((await call).status, 'CANCELLED');
      for (const { tags } of await traced.tracer.untilFinished(2)) {
        assert.equal(tags['grpc.status'], 'CANCELLED');
        assert.equal(tags.error, true);
      }
    });

    check('a call whose deadline passes ends its spans', async ({ probe, tracer }) => {
      await failure(probe.hang({ text: '' }, { timeoutMs: 50 }));
      const spans = await tracer.untilFinished(2);
      const status = (kind: string) => spans.find((span) => span.kind === kind)!.tags['grpc.status'];
      assert.equal(status('client'), 'DEADLINE_EXCEEDED');
      // On a wire the client's reset may come before the server's own clock has reached the deadline.
      const onServer = name === 'memory' ? ['DEADLINE_EXCEEDED'] : ['DEADLINE_EXCEEDED', 'CANCELLED'];
      assert.ok(onServer.includes(String(status('server'))), String(status('server')));
    });

    check('a call that brings no context begins a trace', async ({ server, connect, tracer }) => {
      await connect(server, { plugins: [] }).echo({ text: 'a' });
      await tracer.untilFinished(1);
      assert.deepEqual(tracer.paths, ['server Echo']);
    });

    check('a call that brings garbage begins a trace', async ({ server, connect, tracer }) => {
      const probe = connect(server, { plugins: [] });
      assert.deepEqual(await probe.echo({ text: 'a' }, { metadata: { 'x-mock-span': 'garbage' } }), {
        text: 'a',
      });
      await tracer.untilFinished(1);
      assert.deepEqual(tracer.paths, ['server Echo']);
    });

    it('a tracer that throws fails no call and is logged once for each operation', async () => {
      await using traced = await start(transport(), { tracer: new ThrowingSpans() });
      for (let i = 0; i < 3; i++) {
        assert.deepEqual(await traced.probe.echo({ text: 'a' }), { text: 'a' });
        assert.deepEqual(await collect(traced.probe.count({ n: 2 })), numbers(0, 1));
        assert.equal((await failure(traced.probe.fail({ code: 5 }))).status, 'NOT_FOUND');
      }
      // The server's and the client's plugin each tell their own.
      assert.deepEqual(told(traced.logger), [
        'extract a span context',
        'finish a span',
        'finish a span',
        'inject a span context',
        'log to a span',
        'log to a span',
        'tag a span',
        'tag a span',
      ]);
    });

    it('a tracer that starts no span fails no call and is logged once', async () => {
      await using traced = await start(transport(), { tracer: new NoSpans() });
      for (let i = 0; i < 3; i++) assert.deepEqual(await traced.probe.echo({ text: 'a' }), { text: 'a' });
      assert.deepEqual(told(traced.logger), ['start a span', 'start a span']);
    });

    it('the tracer that does nothing does nothing', async () => {
      await using traced = await start(transport(), { tracer: new Tracer() });
      assert.deepEqual(await traced.probe.echo({ text: 'a' }), { text: 'a' });
      assert.deepEqual(await collect(traced.probe.chat(stream(numbers(1, 2)))), numbers(2, 4));
      assert.deepEqual(traced.logger.lines, []);
    });
  });
}

describe('opentracing', { timeout: 20_000 }, () => {
  it('tracing stands outside of the interceptors, on both sides', async () => {
    const seen: string[] = [];
    const look: Interceptor = async (call, next) => {
      seen.push(`${call.side} ${call.metadata.has('x-mock-span')} ${tracing.activeSpan() !== undefined}`);
      const reply = await next(call);
      seen.push(`${call.side} finished: ${tracer.finished.length}`);
      return reply;
    };
    const tracer = new RecordingTracer();
    const tracing = opentracing({ tracer });
    await using traced = await start(memory(), {
      server: { plugins: [tracing], interceptors: [look] },
      client: { plugins: [tracing], interceptors: [look] },
    });
    await traced.probe.echo({ text: 'a' });
    // Over the memory transport the client's side has the context of its caller, which has no span.
    assert.deepEqual(seen, [
      'client true false',
      'server true true',
      'server finished: 0',
      'client finished: 1',
    ]);
  });

  it('what an interceptor answers or refuses by itself is in the span', async () => {
    const refuse: Interceptor = async () => {
      throw new RpcError(Status.PERMISSION_DENIED, 'not you');
    };
    await using traced = await start(memory(), { server: { interceptors: [refuse] } });
    assert.equal((await failure(traced.probe.echo({ text: 'a' }))).status, 'PERMISSION_DENIED');
    for (const { tags } of await traced.tracer.untilFinished(2)) {
      assert.equal(tags['grpc.status'], 'PERMISSION_DENIED');
    }
  });

  it('before init() the interceptor passes calls through untouched', async () => {
    const tracer = new RecordingTracer();
    const { interceptor } = opentracing({ tracer });
    const call = { side: 'client', metadata: new Metadata() } as Call;
    const reply = { message: 1, header: new Metadata(), trailer: new Metadata() };
    const passed: Call[] = [];
    const given = await interceptor(call, async (next) => {
      passed.push(next);
      return reply;
    });
    assert.equal(given, reply);
    assert.equal(passed[0], call);
    assert.equal(call.metadata.size, 0);
    assert.equal(tracer.startedCount, 0);
  });

  it('init() gives the tracer, which is the global one unless another is named', () => {
    const tracer = new RecordingTracer();
    const logger = recordingLogger();
    assert.equal(opentracing({ tracer }).init({ logger }), tracer);
    const global = opentracing().init({ logger });
    initGlobalTracer(tracer);
    global.startSpan('through the global tracer');
    assert.equal(tracer.startedCount, 1);
    assert.throws(() => opentracing({ tracer: {} as Tracer }), /tracer: an OpenTracing Tracer is wanted/);
  });

  it('carrier entries that cannot travel as metadata are left out, and the others travel', async () => {
    class OddCarrier extends RecordingTracer {
      override inject(span: Span, format: string, carrier: Record<string, unknown>): void {
        carrier['not a key'] = 'a';
        carrier['grpc-timeout'] = '1S';
        carrier['x-bytes-bin'] = 'text';
        carrier['x-wörds'] = 'a';
        carrier['x-text'] = 'smörgås';
        carrier['x-none'] = undefined;
        carrier['X-Number'] = 1;
        super.inject(span, format, carrier);
      }
    }
    const tracer = new OddCarrier();
    const metadata: unknown[] = [];
    const echo = ({ text }: { text: string }, context: CallContext) => {
      metadata.push([...context.metadata].map(([key]) => key).sort());
      return { text };
    };
    await using traced = await start(memory(), { tracer, handlers: { echo } });
    await traced.probe.echo({ text: 'a' });
    await traced.probe.echo({ text: 'b' });
    assert.deepEqual(metadata, Array(2).fill(['x-mock-span', 'x-number']));
    assert.deepEqual(told(traced.logger), ['inject a span context']);
    assert.equal(tracer.paths.filter((path) => path === 'client Echo > server Echo').length, 2);
  });

  it('the context of a call replaces one that its caller has passed on', async () => {
    await using traced = await start(memory());
    await traced.probe.echo({ text: 'a' }, { metadata: { 'x-mock-span': 'of a call before' } });
    await traced.tracer.untilFinished(2);
    assert.deepEqual(traced.tracer.paths, ['client Echo', 'client Echo > server Echo']);
  });

  it('withSpan makes a span of the user the parent, also across plugins of one tracer', async () => {
    await using traced = await start(memory());
    const own = traced.tracer.startSpan('own');
    const tracing = opentracing({ tracer: traced.tracer });
    await tracing.withSpan(own, () => traced.probe.echo({ text: 'a' }));
    assert.equal(tracing.activeSpan(), undefined);
    await traced.tracer.untilFinished(2);
    assert.deepEqual(traced.tracer.paths, ['own own > client Echo', 'own own > client Echo > server Echo']);
  });

  it('spans of two tracers do not become parents of each other', async () => {
    const [first, second] = [new RecordingTracer(), new RecordingTracer()];
    await using traced = await start(memory());
    const echo = traced.connect(traced.server, { plugins: [opentracing({ tracer: first })] });
    await opentracing({ tracer: second }).withSpan(second.startSpan('own'), () => echo.echo({ text: 'a' }));
    assert.deepEqual(first.paths, ['client Echo']);
  });

  it("the user's own active span is the parent where no call is being handled", async () => {
    let own: Span | undefined;
    await using traced = await start(memory(), { options: { activeSpan: () => own } });
    const inner = traced.probe;
    const outer = traced.connect(
      await traced.serve({
        told: async () => {
          await inner.echo({ text: 'a' });
          return { cancelled: false };
        },
      }),
    );
    own = traced.tracer.startSpan('own');
    await outer.told({ text: '' });
    await traced.tracer.untilFinished(4);
    assert.equal(
      traced.tracer.paths.at(-1),
      'own own > client Told > server Told > client Echo > server Echo',
    );
  });

  it('what is not to be traced is not, and health checks are not unless it is said', async () => {
    const options = { traced: ({ method }: Call) => method.name !== 'Echo' };
    await using traced = await start(memory(), { options });
    await traced.probe.echo({ text: 'a' });
    await traced.probe.told({ text: '' });
    await traced.tracer.untilFinished(2);
    assert.deepEqual(traced.tracer.paths, ['client Told', 'client Told > server Told']);

    await using polled = await start('grpc-js');
    await using client = new Client({ target: polled.server.address });
    await client.call('/grpc.health.v1.Health/Check', {});
    assert.equal(polled.tracer.startedCount, 0);
  });
});

const told = (logger: ReturnType<typeof recordingLogger>) =>
  logger.lines
    .filter(({ level }) => level === 'warn')
    .map(({ message }) => /tracing could not ([^;]+);/.exec(message)?.[1])
    .sort();

const broken = (): never => {
  throw new Error('the tracer is broken');
};

/** Starts spans of which nothing works. */
class ThrowingSpans extends RecordingTracer {
  override startSpan(...parameters: Parameters<Tracer['startSpan']>): Span {
    const span = super.startSpan(...parameters);
    return Object.assign(span, { addTags: broken, setTag: broken, log: broken, finish: broken });
  }
  override inject = broken;
  override extract = broken;
}

class NoSpans extends RecordingTracer {
  override startSpan = broken;
}
