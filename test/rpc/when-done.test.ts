import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Client,
  defineService,
  type Implementation,
  type Interceptor,
  memory,
  type RpcError,
  Server,
  serverStream,
  silentLogger,
  unary,
  whenDone,
} from 'lictor';
import { collect, failure } from '../contract/transport.js';

const Letters = defineService('lictor.test.Letters', {
  one: unary<object, string>(),
  many: serverStream<object, string>(),
});

/** Calls through an interceptor on each side that notes how calls ended. */
async function setup(many: () => AsyncIterable<string>, one: () => string = () => 'a') {
  const ends = { client: [] as string[], server: [] as string[] };
  let told: () => void;
  const serverTold = new Promise<void>((resolve) => {
    told = resolve;
  });
  const noting: Interceptor = async (call, next) => {
    const note = (error: RpcError | undefined) => {
      ends[call.side].push(error?.message ?? 'OK');
      if (call.side === 'server') told();
    };
    try {
      return whenDone(call, await next(call), note);
    } catch (error) {
      note(error as RpcError);
      throw error;
    }
  };
  const transport = memory();
  const server = new Server({ transport, interceptors: [noting], logger: silentLogger });
  const implementation: Implementation<typeof Letters.methods> = { one, many };
  await server.registerService(Letters, implementation).serve();
  const client = new Client({ transport, target: server.address, interceptors: [noting] });
  return {
    letters: client.service(Letters),
    ends,
    serverTold,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.closeNow();
    },
  };
}

test('a stream read to its end is done well', async () => {
  await using calls = await setup(async function* () {
    yield* ['a', 'b'];
  });
  assert.deepEqual(await collect(calls.letters.many({})), ['a', 'b']);
  assert.deepEqual(calls.ends, { client: ['OK'], server: ['OK'] });
});

test('a stream that its reader left before the end is done as CANCELLED, on both sides', async () => {
  await using calls = await setup(async function* () {
    for (;;) yield 'a';
  });
  for await (const _ of calls.letters.many({})) break;
  await calls.serverTold;
  const left = ['[CANCELLED] the stream was left before its end'];
  assert.deepEqual(calls.ends, { client: left, server: left });
});

test('an interceptor that waits for the end does not give away the text of an unexpected error', async () => {
  // biome-ignore lint/correctness/useYield: it fails before it has anything to give.
  await using calls = await setup(async function* (): AsyncGenerator<string> {
    throw new Error('the password is 1234');
  });
  const error = await failure(collect(calls.letters.many({})));
  assert.equal(error.status, 'UNKNOWN');
  assert.doesNotMatch(error.message, /1234/);
  assert.deepEqual(calls.ends.server, ['[UNKNOWN] the password is 1234']);
});

test('an interceptor sees a call fail whose handler gave nothing', async () => {
  const nothing = () => undefined as never;
  await using calls = await setup(nothing, nothing);
  const one = await failure(calls.letters.one({}));
  assert.match(one.message, /INTERNAL.* the handler returned nothing where a reply is wanted/);
  const many = await failure(collect(calls.letters.many({})));
  assert.match(many.message, /INTERNAL.* the handler returned no AsyncIterable of replies/);
  assert.deepEqual(calls.ends.server, [one.message, many.message]);
});
