import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  bidi,
  Client,
  clientStream,
  defineService,
  RpcError,
  Server,
  Status,
  serverStream,
  statusName,
  unary,
} from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { recordingLogger } from '../plugin/log.js';

// A server that has run a call and then answers badly: no error of the client may say that the call has not run.

const LIMIT = { timeout: 20_000 };
const MAX_BYTES = 2_000;
type Text = { text: string };
const Raw = defineService('raw.Raw', {
  one: unary<Text, Text>(),
  many: serverStream<Text, Text>(),
  sum: clientStream<Text, Text>(),
  chat: bidi<Text, Text>(),
});
type Answer = (stream: ServerHttp2Stream) => void;

const OK = { ':status': 200, 'content-type': 'application/grpc+json' };
const REPLY = Buffer.from('{"text":"hi"}');
const framed = (bytes: Buffer, flag = 0) => {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
};

/** A header, messages, and trailers. */
const answer =
  (
    header: object,
    messages: readonly Buffer[],
    trailers: Record<string, string> = { 'grpc-status': '0' },
  ): Answer =>
  (stream) => {
    stream.respond({ ...OK, ...header }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end(Buffer.concat(messages));
  };
const http =
  (
    status: number,
    header: object = { 'content-type': 'text/html' },
    body: string | Buffer = '<html>',
  ): Answer =>
  (stream) => {
    stream.respond({ ':status': status, ...header });
    stream.end(body);
  };
/** Breaks it off when the client has had what was written before. */
const begun =
  (messages: readonly Buffer[], then: (stream: ServerHttp2Stream) => void): Answer =>
  (stream) => {
    stream.respond(OK);
    stream.write(Buffer.concat(messages));
    setTimeout(() => then(stream), 20);
  };
const refuse = (stream: ServerHttp2Stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM);

const { INTERNAL, RESOURCE_EXHAUSTED, UNAVAILABLE, UNIMPLEMENTED, UNKNOWN } = Status;
/** Undefined where the engines differ in the code; what is said of the call's having run must not. */
const cases: [name: string, answer: Answer, code: Status | undefined][] = [
  ['an encoding that is not known', answer({ 'grpc-encoding': 'br' }, [framed(REPLY, 1)]), INTERNAL],
  ['a compressed reply without an encoding', answer({}, [framed(REPLY, 1)]), INTERNAL],
  [
    'a compressed reply in "identity"',
    answer({ 'grpc-encoding': 'identity' }, [framed(REPLY, 1)]),
    undefined,
  ],
  ['gzip that is none', answer({ 'grpc-encoding': 'gzip' }, [framed(REPLY, 1)]), INTERNAL],
  [
    'gzip of too much',
    answer({ 'grpc-encoding': 'gzip' }, [framed(gzipSync(Buffer.alloc(MAX_BYTES * 2, ' ')), 1)]),
    RESOURCE_EXHAUSTED,
  ],
  ['a reply that is no JSON', answer({}, [framed(Buffer.from('{"text":'))]), INTERNAL],
  ['a reply over the limit', answer({}, [framed(Buffer.alloc(MAX_BYTES * 2, ' '))]), RESOURCE_EXHAUSTED],
  ['no trailers', http(200, { 'content-type': 'application/grpc+json' }, framed(REPLY)), undefined],
  ['trailers without grpc-status', answer({}, [framed(REPLY)], { a: 'b' }), UNKNOWN],
  ['a grpc-status that is none', answer({}, [framed(REPLY)], { 'grpc-status': 'x' }), undefined],
  ['an UNAVAILABLE of its own', answer({}, [], { 'grpc-status': '14' }), UNAVAILABLE],
  [
    'a mark of not having run, after a header',
    answer({}, [], { 'grpc-status': '14', 'lictor-not-executed': '1' }),
    UNAVAILABLE,
  ],
  [
    'a mark of not having run, after a reply',
    answer({}, [framed(REPLY)], { 'grpc-status': '12', 'lictor-not-executed': '1' }),
    UNIMPLEMENTED,
  ],
  ['another content type', http(200), undefined],
  ['HTTP 400', http(400), INTERNAL],
  ['HTTP 401', http(401), Status.UNAUTHENTICATED],
  ['HTTP 404', http(404), UNIMPLEMENTED],
  ['HTTP 429', http(429), UNAVAILABLE],
  ['HTTP 502', http(502), UNAVAILABLE],
  ['HTTP 503, as if of gRPC', http(503, { 'content-type': 'application/grpc' }), UNAVAILABLE],
  ['REFUSED_STREAM after a header', begun([], refuse), undefined],
  ['REFUSED_STREAM after a reply', begun([framed(REPLY)], refuse), undefined],
  ['a reset', begun([], (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)), INTERNAL],
  ['a connection that is lost', begun([], (stream) => stream.session?.destroy()), UNAVAILABLE],
];
/** grpc-js does not see that these are wrong. */
const onlyOnH2: typeof cases = [
  ['flags that gRPC does not have', answer({}, [framed(REPLY, 2)]), INTERNAL],
  ['half a reply', answer({}, [framed(REPLY).subarray(0, 8)]), INTERNAL],
];
/** Of these only calls with a single reply know that they are wrong. */
const single: typeof cases = [
  ['no reply', answer({}, []), UNIMPLEMENTED],
  ['two replies', answer({}, [framed(REPLY), framed(REPLY)]), UNIMPLEMENTED],
];

async function* some(): AsyncGenerator<Text> {
  yield { text: 'a' };
  yield { text: 'b' };
}
async function all(replies: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of replies);
}
type Api = ReturnType<typeof apiOf>;
const apiOf = (client: Client) => client.service(Raw);
const kinds: Record<string, (api: Api) => Promise<unknown>> = {
  unary: (api) => api.one({ text: '' }),
  'server stream': (api) => all(api.many({ text: '' })),
  'client stream': (api) => api.sum(some()),
  bidi: (api) => all(api.chat(some())),
};

/** A server that answers so, and a client; `sent` counts the calls that came. */
async function peer(transport: 'h2' | 'grpc-js', respond: Answer) {
  const server: Http2Server = createServer();
  let sent = 0;
  server.on('sessionError', () => {});
  server.on('stream', (stream: ServerHttp2Stream) => {
    sent++;
    stream.on('error', () => {});
    // A handler has run when it has read the request.
    stream.once('data', () => respond(stream));
    stream.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new Client({
    resolver: fixed([address]),
    transport,
    timeoutMs: 5_000,
    maxMessageBytes: MAX_BYTES,
    graceMs: 0,
    logger: recordingLogger(),
  });
  return {
    api: apiOf(client),
    sent: () => sent,
    async [Symbol.asyncDispose]() {
      await client.close();
      server.close();
    },
  };
}

async function failure(call: Promise<unknown>): Promise<RpcError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof RpcError, `no failure: ${String(error)}`);
  return error;
}

for (const transport of ['h2', 'grpc-js'] as const) {
  for (const [kind, call] of Object.entries(kinds)) {
    describe(`after a call has run, on ${transport}: ${kind}`, LIMIT, () => {
      const hasOneReply = kind === 'unary' || kind === 'client stream';
      const more = [...(transport === 'h2' ? onlyOnH2 : []), ...(hasOneReply ? single : [])];
      for (const [name, respond, code] of [...cases, ...more]) {
        test(`${name} is a failure of a call that may have run`, async () => {
          await using it = await peer(transport, respond);
          const error = await failure(call(it.api));
          assert.equal(error.maybeExecuted, true, error.message);
          if (code !== undefined) assert.equal(error.status, statusName(code), error.message);
          assert.equal(it.sent(), 1);
        });
      }
    });
  }
}

for (const transport of ['h2', 'grpc-js', 'memory'] as const) {
  // The handler of such a call has begun, whatever becomes of its second request.
  test(`requests that fail are a failure of a call that may have run, on ${transport}`, LIMIT, async () => {
    let begun = () => {};
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    await using server = new Server({ transport, logger: recordingLogger(), graceMs: 0 });
    server.registerService(Raw, {
      one: () => ({ text: '' }),
      async *many() {},
      async sum(requests) {
        for await (const _ of requests) begun();
        return { text: '' };
      },
      async *chat(requests) {
        for await (const request of requests) {
          begun();
          yield request;
        }
      },
    });
    await server.serve();
    await using client = new Client({ target: server.address, transport, graceMs: 0 });
    const api = client.service(Raw);
    const failing = [
      async function* () {
        yield { text: 'a' };
        await hasBegun;
        yield { text: 1n } as never;
      },
      async function* () {
        yield { text: 'a' };
        await hasBegun;
        throw new RpcError(UNAVAILABLE, 'of another call', { maybeExecuted: false });
      },
    ];
    for (const requests of failing)
      for (const call of [() => api.sum(requests()), () => all(api.chat(requests()))])
        assert.equal((await failure(call())).maybeExecuted, true);
  });
}

for (const transport of ['h2', 'grpc-js', 'memory'] as const) {
  test(
    `a handler that passes on another server's mark of not having run has run, on ${transport}`,
    LIMIT,
    async () => {
      const mark = { 'lictor-not-executed': '1' };
      const passedOn = () => new RpcError(UNAVAILABLE, 'of another server', { metadata: mark });
      let ran = 0;
      await using server = new Server({ transport, logger: recordingLogger(), graceMs: 0 });
      server.registerService(Raw, {
        one() {
          ran++;
          throw passedOn();
        },
        // biome-ignore lint/correctness/useYield: it fails before its first reply
        async *many() {
          ran++;
          throw passedOn();
        },
        async sum(_, context) {
          ran++;
          context.trailer.set('lictor-not-executed', '1');
          throw new RpcError(UNAVAILABLE, 'its own');
        },
        async *chat() {},
      });
      await server.serve();
      await using client = new Client({ resolver: fixed([server.address]), transport, graceMs: 0 });
      const api = client.service(Raw);
      const text = { text: '' };
      async function* none() {}
      for (const call of [() => api.one(text), () => all(api.many(text)), () => api.sum(none())]) {
        ran = 0;
        assert.equal((await failure(call())).maybeExecuted, true);
        assert.equal(ran, 1);
      }
    },
  );
}
