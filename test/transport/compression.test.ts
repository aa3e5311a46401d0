import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import {
  bidi,
  type CallContext,
  Client,
  type ClientOptions,
  type CompressionName,
  defineService,
  RpcError,
  Server,
  type ServerOptions,
  Status,
  silentLogger,
  unary,
  uncompressed,
} from 'lictor';
import { PREFIX_BYTES, readFrames } from './grpc-frames.js';

type Asked = { text: string; replies?: CompressionName | 'brotli'; sendHeaderFirst?: boolean };
type Seen = { text: string; compressed: boolean | null };

const Mirror = defineService('lictor.test.Mirror', { one: unary<Asked, Seen>(), many: bidi<Asked, Seen>() });
const LONG = 'a'.repeat(1_000);
const WORD = 'word';

/** Says of each request whether it came compressed; replies as they are asked for, but for words. */
function answer({ text, replies, sendHeaderFirst }: Asked, context: CallContext): Seen {
  if (sendHeaderFirst) context.sendHeader();
  if (replies) context.compression = replies as CompressionName;
  const seen = { text, compressed: context.requestCompressed ?? null };
  return text === WORD ? uncompressed(seen) : seen;
}

async function mirror(serverOptions: ServerOptions, clientOptions: ClientOptions) {
  const server = new Server({ logger: silentLogger, graceMs: 0, ...serverOptions });
  server.registerService(Mirror, {
    one: answer,
    async *many(requests, context) {
      for await (const request of requests) yield answer(request, context);
    },
  });
  await server.serve();
  const client = new Client({ target: server.address, logger: silentLogger, graceMs: 0, ...clientOptions });
  return {
    address: server.address,
    calls: client.service(Mirror),
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.close();
    },
  };
}

async function* stream(...requests: Asked[]) {
  yield* requests;
}

async function flagsOf(replies: AsyncIterable<Seen>): Promise<unknown[]> {
  const flags: unknown[] = [];
  for await (const { compressed } of replies) flags.push(compressed);
  return flags;
}

const GZIP = { compression: 'gzip' } as const;
const three = () => stream({ text: LONG }, uncompressed({ text: LONG }), { text: LONG });
const refusal = (call: Promise<unknown>) =>
  call.then(
    () => assert.fail('the call succeeded'),
    (reason: unknown) => {
      assert.ok(reason instanceof RpcError);
      return reason;
    },
  );

for (const transport of ['h2', 'memory'] as const) {
  describe(`compression of single calls and messages: ${transport}`, () => {
    test('a call compresses though its client does not, and the other way round', async () => {
      await using plain = await mirror({ transport }, { transport });
      assert.equal((await plain.calls.one({ text: LONG })).compressed, false);
      assert.equal((await plain.calls.one({ text: LONG }, GZIP)).compressed, true);
      await using compressing = await mirror({ transport }, { transport, ...GZIP });
      assert.equal((await compressing.calls.one({ text: LONG })).compressed, true);
      assert.equal(
        (await compressing.calls.one({ text: LONG }, { compression: 'identity' })).compressed,
        false,
      );
    });

    test('one request of a compressed call is left as it is', async () => {
      await using server = await mirror({ transport }, { transport });
      const { calls } = server;
      assert.equal((await calls.one(uncompressed({ text: LONG }), GZIP)).compressed, false);
      assert.deepEqual(await flagsOf(calls.many(three(), GZIP)), [true, false, true]);
      assert.deepEqual(await flagsOf(calls.many(three())), [false, false, false]);
    });

    test('a compression that is not known is refused before anything is sent', async () => {
      await using server = await mirror({ transport }, { transport });
      const { calls } = server;
      const options = { compression: 'brotli' as 'gzip' };
      for (const call of [calls.one({ text: '' }, options), flagsOf(calls.many(stream(), options))]) {
        const error = await refusal(call);
        assert.equal(error.code, Status.UNIMPLEMENTED);
        assert.equal(error.maybeExecuted, false);
        assert.match(error.message, /"brotli" is not known; there are: identity, gzip/);
      }
    });

    test('a handler that chooses a compression too late, or one that is not known, is told', async () => {
      await using server = await mirror({ transport }, { transport });
      const { calls } = server;
      const late = await refusal(calls.one({ text: '', replies: 'gzip', sendHeaderFirst: true }));
      assert.equal(late.code, Status.FAILED_PRECONDITION);
      assert.equal((await calls.one({ text: '', replies: 'identity', sendHeaderFirst: true })).text, '');
      assert.equal((await refusal(calls.one({ text: '', replies: 'brotli' }))).code, Status.UNIMPLEMENTED);
    });
  });
}

describe('compression of replies on the wire', () => {
  const cases: [string, Asked[], accepts: string, encoding: string | undefined, flags: number[]][] = [
    ['a server that does not compress', [{ text: LONG }], 'gzip', undefined, [0]],
    ['a handler that does', [{ text: LONG, replies: 'gzip' }], 'identity,gzip', 'gzip', [1]],
    ['a client that does not take it', [{ text: LONG, replies: 'gzip' }], 'identity', undefined, [0]],
    [
      'one reply left as it is',
      [{ text: LONG, replies: 'gzip' }, { text: WORD }, { text: LONG }],
      'gzip',
      'gzip',
      [1, 0, 1],
    ],
  ];
  for (const [name, asked, accepts, encoding, flags] of cases) {
    for (const path of asked.length === 1
      ? [Mirror.methods.one.path, Mirror.methods.many.path]
      : [Mirror.methods.many.path]) {
      test(`${name}: ${path}`, async () => {
        await using server = await mirror({ transport: 'h2' }, { transport: 'h2' });
        const { header, body } = await exchange(server.address, path, asked, accepts);
        assert.equal(header['grpc-encoding'], encoding);
        const replies = readFrames(body);
        assert.deepEqual(
          replies.map(({ flag }) => flag),
          flags,
        );
        for (const [i, { flag, payload }] of replies.entries()) {
          const text = (flag === 1 ? gunzipSync(payload) : payload).toString();
          assert.equal((JSON.parse(text) as Seen).text, asked[i]!.text);
        }
      });
    }
  }

  test('a server that compresses has a handler that does not', async () => {
    await using server = await mirror({ transport: 'h2', ...GZIP }, { transport: 'h2' });
    const { path } = Mirror.methods.one;
    const asked: Asked = { text: LONG, replies: 'identity' };
    const { header, body } = await exchange(server.address, path, [asked], 'gzip');
    assert.equal(header['grpc-encoding'], undefined);
    assert.equal(body[0], 0);
  });
});

describe('compression with grpc-js', () => {
  test('single calls and messages of a client that compresses are left as they are', async () => {
    await using server = await mirror({ transport: 'h2' }, { transport: 'grpc-js', ...GZIP });
    const { calls } = server;
    assert.equal((await calls.one({ text: LONG })).compressed, true);
    assert.equal((await calls.one({ text: LONG }, GZIP)).compressed, true);
    assert.equal((await calls.one({ text: LONG }, { compression: 'identity' })).compressed, false);
    assert.equal((await calls.one(uncompressed({ text: LONG }))).compressed, false);
    assert.deepEqual(await flagsOf(calls.many(three())), [true, false, true]);
  });

  test('what it cannot do is refused in clear words', async () => {
    await using server = await mirror({ transport: 'grpc-js' }, { transport: 'grpc-js' });
    const { calls } = server;
    for (const call of [calls.one({ text: LONG }, GZIP), flagsOf(calls.many(three(), GZIP))]) {
      const error = await refusal(call);
      assert.equal(error.code, Status.UNIMPLEMENTED);
      assert.equal(error.maybeExecuted, false);
      assert.match(error.message, /grpc-js compresses only in a client that has it as its own option/);
    }
    const error = await refusal(calls.one({ text: LONG, replies: 'gzip' }));
    assert.equal(error.code, Status.UNIMPLEMENTED);
    assert.match(error.message, /grpc-js has only 'identity'/);
    assert.equal((await calls.one({ text: LONG, replies: 'identity' })).compressed, null);
  });
});

/** One call by node:http2, for what a client does not show. */
async function exchange(address: string, path: string, asked: Asked[], accepts: string) {
  const session = connect(`http://${address}`);
  try {
    const request = session.request({
      ':method': 'POST',
      ':path': path,
      te: 'trailers',
      'content-type': 'application/grpc+json',
      'grpc-accept-encoding': accepts,
    });
    const header = new Promise<Record<string, unknown>>((resolve) => request.once('response', resolve));
    for (const one of asked) {
      const bytes = Buffer.from(JSON.stringify(one));
      const prefix = Buffer.alloc(PREFIX_BYTES);
      prefix.writeUInt32BE(bytes.length, 1);
      request.write(Buffer.concat([prefix, bytes]));
    }
    request.end();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return { header: await header, body: Buffer.concat(chunks) };
  } finally {
    session.destroy();
  }
}
