import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  bidi,
  Client,
  type ClientOptions,
  clientStream,
  defineService,
  type Engine,
  type Implementation,
  Metadata,
  RpcError,
  Server,
  type ServerOptions,
  Status,
  serverStream,
  silentLogger,
  unary,
} from 'lictor';

type Numbers = { n: number };
type Text = { text: string };

export const Probe = defineService('lictor.test.Probe', {
  echo: unary<Text, Text>(),
  fail: unary<{ code: number }, Text>(),
  failWith: unary<{ details: string; bytes: number }, Text>(),
  hang: unary<Text, Text>(),
  told: unary<Text, { cancelled: boolean }>(),
  count: serverStream<Numbers, Numbers>(),
  sum: clientStream<Numbers, Numbers>(),
  chat: bidi<Numbers, Numbers>(),
});

/** What one test sees of the server's side. */
export type Seen = {
  aborted: string[];
  onAbort: () => void;
  produced: number;
  consumed: number;
  completed: number;
  started: number;
};

export function probe(seen: Seen): Implementation<typeof Probe.methods> {
  const watch = (signal: AbortSignal) => {
    signal.addEventListener('abort', () => {
      seen.aborted.push((signal.reason as RpcError).status);
      seen.onAbort();
    });
  };
  return {
    echo: ({ text }, context) => {
      for (const [key, value] of context.metadata) {
        if (key.startsWith('x-')) context.header.add(key, value);
        if (key.startsWith('y-')) context.trailer.add(key, value);
      }
      return { text };
    },
    fail: ({ code }, context) => {
      context.trailer.set('y-kept', 'yes');
      throw new RpcError(code as Status, 'as you wished: ümläut, 100 %, \n line', {
        metadata: new Metadata().set('y-error', 'details').set('y-bytes-bin', new Uint8Array([0, 255])),
        cause: new Error('secret of the server'),
      });
    },
    failWith: ({ details, bytes }) => {
      throw new RpcError(Status.NOT_FOUND, details, { metadata: { 'y-large': 'm'.repeat(bytes) } });
    },
    hang: (_, { signal }) => {
      watch(signal);
      seen.started++;
      return new Promise(() => {});
    },
    told: (_, { signal }) => {
      watch(signal);
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve({ cancelled: true })));
    },
    async *count({ n }, context) {
      watch(context.signal);
      context.header.set('x-head', 'first');
      for (let i = 0; i < n; i++) {
        seen.produced++;
        yield { n: i };
      }
      context.trailer.set('y-tail', 'last');
    },
    async sum(requests, { signal }) {
      watch(signal);
      let sum = 0;
      for await (const { n } of requests) {
        seen.consumed++;
        sum += n;
      }
      seen.completed++;
      return { n: sum };
    },
    async *chat(requests, { signal }) {
      watch(signal);
      for await (const { n } of requests) {
        if (n < 0) throw new RpcError(Status.OUT_OF_RANGE, `${n} is negative`);
        yield { n: n * 2 };
      }
    },
  };
}

export type TransportContract = {
  readonly name: string;
  readonly transport: () => Engine | 'grpc-js' | 'h2' | 'memory';
  readonly address?: string;
  readonly server?: ServerOptions;
  readonly client?: ClientOptions;
  /** Contracts that this engine cannot keep, each with its reason. */
  readonly except?: Readonly<Record<string, string>>;
};

/** What every engine must do, run over Server and Client as their users have them. */
export function transportContract(contract: TransportContract): void {
  const check = (name: string, run: (setup: Setup) => Promise<void>, options: SetupOptions = {}) => {
    const reason = contract.except?.[name];
    it(name, { skip: reason ?? false, timeout: 20_000 }, async () => {
      await using setup = await start(contract, options);
      await run(setup);
    });
  };

  describe(`transport contract: ${contract.name}`, () => {
    check('a unary call brings the reply', async ({ probe }) => {
      assert.deepEqual(await probe.echo({ text: 'héllo ✓' }), { text: 'héllo ✓' });
    });

    check('many unary calls at once each get their own reply', async ({ probe }) => {
      const texts = Array.from({ length: 200 }, (_, i) => `call ${i}`);
      const replies = await Promise.all(texts.map((text) => probe.echo({ text })));
      assert.deepEqual(
        replies.map(({ text }) => text),
        texts,
      );
    });

    check('a server stream brings its messages in order and then ends', async ({ probe }) => {
      assert.deepEqual(await collect(probe.count({ n: 50 })), numbers(50));
      assert.deepEqual(await collect(probe.count({ n: 0 })), []);
    });

    check('a client stream is answered once', async ({ probe }) => {
      assert.deepEqual(await probe.sum(stream(numbers(50))), { n: 1225 });
      assert.deepEqual(await probe.sum(stream([])), { n: 0 });
    });

    check('in a bidi stream a reply comes before the next request is given', async ({ probe }) => {
      const replies: number[] = [];
      let answer = () => {};
      async function* requests() {
        for (let n = 1; n <= 5; n++) {
          const answered = new Promise<void>((resolve) => {
            answer = resolve;
          });
          yield { n };
          await answered;
        }
      }
      for await (const { n } of probe.chat(requests())) {
        replies.push(n);
        answer();
      }
      assert.deepEqual(replies, [2, 4, 6, 8, 10]);
    });

    check('metadata travels both ways, text and bytes, several values to a key', async ({ probe }) => {
      const metadata = new Metadata()
        .add('x-a', '1')
        .add('x-a', '2')
        .set('y-b-bin', new Uint8Array([1, 0, 200]));
      let header: Metadata | undefined;
      let trailer: Metadata | undefined;
      await probe.echo(
        { text: '' },
        { metadata, onHeader: (h) => (header = h), onTrailer: (t) => (trailer = t) },
      );
      assert.deepEqual(header?.getAll('x-a').join().replaceAll(', ', ','), '1,2');
      assert.deepEqual([...(trailer?.getBinary('y-b-bin') ?? [])], [1, 0, 200]);
    });

    check('a stream has a header before its messages and a trailer after them', async ({ probe }) => {
      const order: string[] = [];
      const replies = probe.count(
        { n: 2 },
        {
          onHeader: (header) => order.push(`header ${header.get('x-head')}`),
          onTrailer: (trailer) => order.push(`trailer ${trailer.get('y-tail')}`),
        },
      );
      for await (const { n } of replies) order.push(`message ${n}`);
      assert.deepEqual(order, ['header first', 'message 0', 'message 1', 'trailer last']);
    });

    check(
      'a failure brings its code, text and metadata, and nothing of the server’s own',
      async ({ probe }) => {
        for (const code of Object.values(Status).filter((one) => one !== Status.OK)) {
          let trailer: Metadata | undefined;
          const error = await failure(probe.fail({ code }, { onTrailer: (t) => (trailer = t) }));
          assert.equal(error.code, code);
          assert.equal(error.details, 'as you wished: ümläut, 100 %, \n line');
          assert.equal(error.metadata?.get('y-error'), 'details');
          assert.deepEqual([...(error.metadata?.getBinary('y-bytes-bin') ?? [])], [0, 255]);
          assert.equal(trailer?.get('y-kept'), 'yes');
          assert.doesNotMatch(String(error.stack) + String(error.cause), /secret of the server/);
        }
      },
    );

    check('a failure whose text or metadata no header can hold is told all the same', async ({ probe }) => {
      for (const details of ['lone \ud800 surrogate', 'long '.repeat(50_000)]) {
        const error = await failure(probe.failWith({ details, bytes: 0 }));
        assert.equal(error.code, Status.NOT_FOUND);
        assert.equal(error.details.slice(0, 5), details.slice(0, 5));
      }
      const error = await failure(probe.failWith({ details: 'large', bytes: 100_000 }));
      assert.equal(error.code, Status.NOT_FOUND);
      assert.match(error.details, /metadata of \d+ bytes was too large/);
      assert.deepEqual(await probe.echo({ text: 'the connection stands' }), {
        text: 'the connection stands',
      });
    });

    check('a stream that fails half-way brings what came before, then the failure', async ({ probe }) => {
      const got: number[] = [];
      const error = await failure(
        (async () => {
          for await (const { n } of probe.chat(stream([{ n: 1 }, { n: 2 }, { n: -1 }]))) got.push(n);
        })(),
      );
      assert.deepEqual(got, [2, 4]);
      assert.equal(error.code, Status.OUT_OF_RANGE);
      assert.equal(error.details, '-1 is negative');
    });

    check('a method that the server does not know is UNIMPLEMENTED', async ({ client }) => {
      const error = await failure(client.call('/lictor.test.Probe/Nothing', {}));
      assert.equal(error.code, Status.UNIMPLEMENTED);
    });

    check('a unary call ends at its deadline, and its handler is told', async ({ probe, seen }) => {
      const aborted = new Promise<void>((resolve) => (seen.onAbort = resolve));
      await probe.echo({ text: 'connected, so that the time is the handler’s' });
      const error = await failure(probe.hang({ text: '' }, { timeoutMs: 200 }));
      assert.equal(error.code, Status.DEADLINE_EXCEEDED);
      await aborted;
      assert.equal(seen.aborted.length, 1);
    });

    check('a stream ends at its deadline, also when nothing is sent', async ({ probe }) => {
      const error = await failure(collect(probe.chat(never(), { timeoutMs: 60 })));
      assert.equal(error.code, Status.DEADLINE_EXCEEDED);
    });

    check('a unary call ends when its signal aborts, and its handler is told', async ({ probe, seen }) => {
      const aborted = new Promise<void>((resolve) => (seen.onAbort = resolve));
      const controller = new AbortController();
      const call = failure(probe.hang({ text: '' }, { signal: controller.signal }));
      // Not before the handler has begun, which is the one to be told.
      await until(() => seen.started === 1);
      controller.abort();
      assert.equal((await call).code, Status.CANCELLED);
      await aborted;
      assert.deepEqual(seen.aborted, ['CANCELLED']);
    });

    check('a signal that has aborted sends nothing', async ({ probe }) => {
      const error = await failure(probe.echo({ text: '' }, { signal: AbortSignal.abort() }));
      assert.equal(error.code, Status.CANCELLED);
      assert.equal(error.maybeExecuted, false);
    });

    check('a stream ends when its signal aborts', async ({ probe, seen }) => {
      const aborted = new Promise<void>((resolve) => (seen.onAbort = resolve));
      const controller = new AbortController();
      const error = await failure(
        (async () => {
          for await (const _ of probe.chat(firstThenNever({ n: 1 }), { signal: controller.signal }))
            controller.abort();
        })(),
      );
      assert.equal(error.code, Status.CANCELLED);
      await aborted;
    });

    check('requests that were cut off do not look complete to the handler', async ({ probe, seen }) => {
      for (let round = 0; round < 20; round++) {
        const ended = new Promise<void>((resolve) => (seen.onAbort = resolve));
        const controller = new AbortController();
        const sum = failure(probe.sum(firstThenNever({ n: 1 }), { signal: controller.signal }));
        await until(() => seen.consumed === round + 1);
        controller.abort();
        assert.equal((await sum).code, Status.CANCELLED);
        await ended;
      }
      assert.deepEqual(seen.completed, 0);
    });

    check('leaving a stream of replies cancels the call', async ({ probe, seen }) => {
      const aborted = new Promise<void>((resolve) => (seen.onAbort = resolve));
      for await (const { n } of probe.count({ n: 1_000_000 })) if (n === 3) break;
      await aborted;
      assert.deepEqual(seen.aborted, ['CANCELLED']);
    });

    check('replies that are asked for at once come in their order, and then the end', async ({ probe }) => {
      const replies = probe.count({ n: 3 })[Symbol.asyncIterator]();
      const steps = await Promise.all(Array.from({ length: 5 }, () => replies.next()));
      assert.deepEqual(
        steps.map(({ done, value }) => (done ? 'end' : value.n)),
        [0, 1, 2, 'end', 'end'],
      );
    });

    check('of replies that are asked for at once, one tells the failure', async ({ probe }) => {
      const replies = probe.chat(stream([{ n: 1 }, { n: -1 }]))[Symbol.asyncIterator]();
      const steps = await Promise.allSettled(Array.from({ length: 4 }, () => replies.next()));
      assert.deepEqual(
        steps.map((step) => (step.status === 'rejected' ? step.reason.status : step.value.done)),
        [false, 'OUT_OF_RANGE', true, true],
      );
    });

    check('leaving a stream ends those who wait for a reply, and the call', async ({ probe, seen }) => {
      const aborted = new Promise<void>((resolve) => (seen.onAbort = resolve));
      const replies = probe.chat(firstThenNever({ n: 1 }))[Symbol.asyncIterator]();
      assert.deepEqual(await replies.next(), { done: false, value: { n: 2 } });
      const waiting = Promise.all([replies.next(), replies.next()]);
      assert.equal((await replies.return?.())?.done, true);
      assert.deepEqual(
        (await waiting).map(({ done }) => done),
        [true, true],
      );
      await aborted;
      assert.equal((await replies.next()).done, true);
    });

    check('a source of requests is told when its call has ended', async ({ probe }) => {
      let told = () => {};
      const returned = new Promise<void>((resolve) => (told = resolve));
      async function* requests() {
        try {
          yield { n: -1 };
          for (;;) yield { n: await new Promise<number>((resolve) => setTimeout(resolve, 5, 1)) };
        } finally {
          told();
        }
      }
      assert.equal((await failure(collect(probe.chat(requests())))).code, Status.OUT_OF_RANGE);
      await returned;
    });

    check('a source of requests that throws fails the call', async ({ probe }) => {
      async function* requests() {
        yield { n: 1 };
        throw new Error('no more');
      }
      const error = await failure(probe.sum(requests()));
      assert.equal(error.code, Status.CANCELLED);
    });

    check('a slow reader slows the server', async ({ probe, seen }) => {
      const replies = probe.count({ n: 1_000_000 })[Symbol.asyncIterator]();
      await replies.next();
      await settled(() => seen.produced);
      assert.ok(seen.produced < 500_000, `${seen.produced} messages were made for a reader that took one`);
      await replies.return?.();
    });

    check('a slow server slows the sender', async ({ probe, seen }) => {
      let given = 0;
      async function* requests() {
        for (;;) {
          given++;
          yield { n: given };
        }
      }
      // `chat` replies to each request, and nobody takes the replies.
      const replies = probe.chat(requests())[Symbol.asyncIterator]();
      await replies.next();
      await settled(() => given);
      assert.ok(given < 500_000, `${given} requests were taken for a server that cannot answer`);
      assert.equal(seen.consumed, 0);
      await replies.return?.();
    });

    check(
      'a message over the limit is refused on either side',
      async ({ probe }) => {
        const large = 'x'.repeat(70_000);
        assert.equal((await failure(probe.echo({ text: large }))).code, Status.RESOURCE_EXHAUSTED);
        assert.deepEqual(await probe.echo({ text: 'x'.repeat(60_000) }), { text: 'x'.repeat(60_000) });
      },
      { server: { maxMessageBytes: 65_536 } },
    );

    check(
      'a reply over the client’s limit is refused',
      async ({ probe }) => {
        const error = await failure(collect(probe.chat(stream([{ n: 1e300 }]))));
        assert.equal(error.code, Status.RESOURCE_EXHAUSTED);
      },
      { client: { maxMessageBytes: 8 } },
    );

    check('messages of 4 MiB less a little go through', async ({ probe }) => {
      const text = 'm'.repeat(4 * 1024 * 1024 - 64);
      assert.equal((await probe.echo({ text })).text.length, text.length);
    });

    check(
      'requests are compressed when asked for',
      async ({ probe }) => {
        const text = Array.from({ length: 20_000 }, (_, i) => i).join();
        assert.deepEqual(await probe.echo({ text }), { text });
        assert.deepEqual(await probe.sum(stream(numbers(10))), { n: 45 });
      },
      { client: { compression: 'gzip' } },
    );

    check(
      'what compresses too well to be inflated again is carried all the same',
      async ({ probe }) => {
        const text = ' '.repeat(3 * 1024 * 1024);
        assert.equal((await probe.echo({ text })).text.length, text.length);
      },
      { client: { compression: 'gzip' } },
    );

    check('a request that cannot be written is refused before it is sent', async ({ probe }) => {
      const error = await failure(probe.echo({ text: 1n as never }));
      assert.equal(error.maybeExecuted, false);
      assert.match(error.message, /bigint|BigInt/);
    });

    check('nobody at the address: UNAVAILABLE, and certain not to have run', async ({ client, server }) => {
      await server.close();
      const target = server.address;
      const error = await failure(client.service(Probe).echo({ text: '' }, { target }));
      assert.equal(error.code, Status.UNAVAILABLE);
      assert.equal(error.maybeExecuted, false);
      assert.match(error.message, new RegExp(target.replace(/[[\]./]/g, '\\$&')));
    });

    check(
      'a closing server lets calls in flight end and takes no new ones',
      async ({ client, server }) => {
        const probe = client.service(Probe);
        let release = () => {};
        const held = new Promise<void>((resolve) => (release = resolve));
        async function* requests() {
          yield { n: 1 };
          await held;
          yield { n: 2 };
        }
        const sum = probe.sum(requests());
        await probe.echo({ text: 'the stream above is on its way' });
        const closing = server.close();
        setTimeout(release, 50);
        assert.deepEqual(await sum, { n: 3 });
        await closing;
        assert.equal((await failure(probe.echo({ text: '' }))).code, Status.UNAVAILABLE);
      },
      { server: { graceMs: 5_000 } },
    );

    check(
      'a call that never ends is cut off when the grace is over',
      async ({ probe, server, seen }) => {
        const aborted = new Promise<void>((resolve) => (seen.onAbort = resolve));
        const call = failure(probe.hang({ text: '' }));
        await probe.echo({ text: 'the call above is on its way' });
        await server.close();
        assert.equal((await call).maybeExecuted, true);
        await aborted;
      },
      { server: { graceMs: 30 } },
    );

    check('a closed client refuses calls', async ({ client, probe }) => {
      await client.close();
      assert.equal((await failure(probe.echo({ text: '' }))).code, Status.FAILED_PRECONDITION);
    });

    check('a taken address is an error that names it', async ({ server }) => {
      const second = new Server({ ...contract.server, address: server.address, transport: server.transport });
      await assert.rejects(second.serve(), (error: RpcError) => {
        assert.equal(error.code, Status.UNAVAILABLE);
        assert.ok(error.message.includes(server.address));
        return true;
      });
    });

    check('each serialization is its own content type', async ({ client }) => {
      const text = { text: 'packed' };
      assert.deepEqual(await client.service(Probe, { serialization: 'msgpack' }).echo(text), text);
      const strange = {
        name: 'strange',
        subtype: 'strange',
        codecFor: () => ({ encode: () => Buffer.of(1), decode: Object }),
      };
      const error = await failure(client.service(Probe, { serialization: strange }).echo(text));
      assert.equal(error.code, Status.UNIMPLEMENTED);
      assert.match(error.details, /strange/);
    });
  });
}

type Setup = AsyncDisposable & {
  readonly server: Server & { transport: Engine | 'grpc-js' | 'h2' | 'memory' };
  readonly client: Client;
  readonly probe: ReturnType<typeof clientOf>;
  readonly seen: Seen;
};
type SetupOptions = { server?: ServerOptions; client?: ClientOptions };

const clientOf = (client: Client) => client.service(Probe);

async function start(contract: TransportContract, options: SetupOptions): Promise<Setup> {
  const transport = contract.transport();
  const seen: Seen = { aborted: [], onAbort: () => {}, produced: 0, consumed: 0, completed: 0, started: 0 };
  const server = new Server({
    graceMs: 0,
    logger: silentLogger,
    ...contract.server,
    ...options.server,
    address: contract.address ?? '127.0.0.1:0',
    transport,
  });
  server.registerService(Probe, probe(seen));
  await server.serve();
  const client = new Client({
    logger: silentLogger,
    graceMs: 0,
    target: server.address,
    ...contract.client,
    ...options.client,
    transport,
  });
  return {
    server: Object.assign(server, { transport }),
    client,
    probe: clientOf(client),
    seen,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.closeNow();
    },
  };
}

export async function failure(call: Promise<unknown>): Promise<RpcError> {
  const reply = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!('error' in reply)) assert.fail(`the call succeeded with ${JSON.stringify(reply.value)}`);
  assert.ok(reply.error instanceof RpcError, String(reply.error));
  return reply.error;
}

/** The errors of calls that are under way together, so that none is left without somebody who waits for it. */
export const failures = (...calls: readonly Promise<unknown>[]): Promise<RpcError[]> =>
  Promise.all(calls.map(failure));

export async function collect<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const message of messages) all.push(message);
  return all;
}

export async function* stream<T>(messages: readonly T[]): AsyncGenerator<T, void> {
  yield* messages;
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => ({ n }));

const never = (): AsyncIterable<Numbers> => ({
  [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
});

async function* firstThenNever(first: Numbers): AsyncGenerator<Numbers, void> {
  yield first;
  await new Promise(() => {});
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Waits until a counter has stopped: the same value over many turns of the event loop. */
async function settled(value: () => number): Promise<void> {
  for (let last = -1, same = 0; same < 20; ) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    same = value() === last ? same + 1 : 0;
    last = value();
    if (last >= 500_000) return;
  }
}
