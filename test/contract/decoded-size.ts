import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  Client,
  type ClientOptions,
  type CompressionName,
  type DynamicMessage,
  type Engine,
  type Implementation,
  loadProto,
  type RpcError,
  Server,
  type ServerOptions,
  Status,
  silentLogger,
} from 'lictor';
import { protoFile } from '../codec/dear-messages.js';
import { collect, failure, stream } from './transport.js';

const Dear = loadProto(protoFile).service('t.S');
const LIMIT = { timeout: 20_000 };
const maxDecodedBytes = 20_000;

/** Few bytes, and 128,000 once decoded. */
const dear = (): DynamicMessage => ({ empties: Array.from({ length: 2_000 }, () => ({})) });
const ordinary: DynamicMessage = { texts: ['ordinary'] };
/** Asks for a dear reply. */
const asking: DynamicMessage = { texts: ['dear'] };

const replyTo = (request: DynamicMessage): DynamicMessage =>
  (request.texts as string[])[0] === 'dear' ? dear() : ordinary;

/** What every engine does with a message that would take too much memory, in each serialization and kind of call. */
export function decodedSizeContract(name: string, transport: () => Engine | 'grpc-js' | 'h2'): void {
  for (const serialization of ['protobuf', 'json', 'msgpack']) {
    for (const compression of ['identity', 'gzip'] as const) {
      describe(`${name}, ${serialization}, ${compression}: a message that would take too much once decoded`, () => {
        const setUp = (server: ServerOptions, client: ClientOptions) =>
          start(transport(), serialization, compression, server, client);

        test(
          'is refused by the server, in every kind of call, and what follows is answered',
          LIMIT,
          async () => {
            await using it = await setUp({ maxDecodedBytes }, {});
            for (const call of [
              () => it.api.call!(dear()),
              () => it.api.give!(stream([ordinary, dear()])),
              () => collect(it.api.take!(dear())),
              () => collect(it.api.chat!(stream([ordinary, dear()]))),
            ]) {
              assertRefused(await failure(call()), 'server');
            }
            assert.deepEqual(it.seen, [ordinary, ordinary]);
            assert.deepEqual(texts(await it.api.call!(ordinary)), ordinary.texts);
          },
        );

        test(
          'is refused by the client, in every kind of call, and what follows is answered',
          LIMIT,
          async () => {
            await using it = await setUp({}, { maxDecodedBytes });
            for (const call of [
              () => it.api.call!(asking),
              () => it.api.give!(stream([asking])),
              () => collect(it.api.take!(asking)),
              () => collect(it.api.chat!(stream([ordinary, asking]))),
            ]) {
              assertRefused(await failure(call()), 'client');
            }
            assert.deepEqual(texts(await it.api.call!(ordinary)), ordinary.texts);
          },
        );

        test('is taken by both where the limits are larger', LIMIT, async () => {
          await using it = await setUp({}, {});
          const reply = (await it.api.call!({ ...dear(), texts: ['dear'] })) as DynamicMessage;
          assert.equal((reply.empties as unknown[]).length, 2_000);
        });
      });
    }
  }
}

function assertRefused(error: RpcError, side: string): void {
  assert.equal(error.code, Status.RESOURCE_EXHAUSTED, String(error));
  assert.match(
    error.details,
    new RegExp(
      `bytes of memory or more once decoded; at most 20000 are taken \\(maxDecodedBytes of the ${side}\\)`,
    ),
  );
}

const texts = (message: unknown) => (message as DynamicMessage).texts;

type Calls = Readonly<Record<string, (message: unknown) => Promise<unknown> & AsyncIterable<unknown>>>;

async function start(
  transport: Engine | 'grpc-js' | 'h2',
  serialization: string,
  compression: CompressionName,
  serverOptions: ServerOptions,
  clientOptions: ClientOptions,
) {
  const seen: unknown[] = [];
  const see = (request: DynamicMessage) => {
    seen.push({ texts: request.texts });
    return replyTo(request);
  };
  const compressesReplies = transport !== 'grpc-js';
  const server = new Server({
    transport,
    logger: silentLogger,
    graceMs: 0,
    compression: compressesReplies ? compression : 'identity',
    ...serverOptions,
  });
  const implementation: Readonly<Record<string, unknown>> = {
    call: see,
    async give(requests: AsyncIterable<DynamicMessage>) {
      let reply = ordinary;
      for await (const request of requests) reply = see(request);
      return reply;
    },
    async *take(request: DynamicMessage) {
      yield see(request);
    },
    async *chat(requests: AsyncIterable<DynamicMessage>) {
      for await (const request of requests) yield see(request);
    },
  };
  server.registerService(Dear, implementation as Implementation<typeof Dear.methods>);
  await server.serve();
  const client = new Client({
    transport,
    target: server.address,
    logger: silentLogger,
    graceMs: 0,
    compression,
    ...clientOptions,
  });
  return {
    seen,
    api: client.service(Dear, { serialization }) as unknown as Calls,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.close();
    },
  };
}
