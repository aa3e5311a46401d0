import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bidi, defineService, Metadata, Status, serverStream, unary } from 'lictor';
import type { EngineName } from '../../transport/named.js';
import { collect, failure, failures, stream } from '../contract/transport.js';
import { deferred } from '../deferred.js';
import { pair } from '../pair.js';

type Text = { text: string };
const Limited = defineService('limits.Limited', {
  echo: unary<Text, Text>(),
  hold: unary<Text, Text>(),
  chat: bidi<Text, Text>(),
  count: serverStream<Text, Text>(),
});
const LIMIT = { timeout: 20_000 };

async function limited(transport: EngineName, server: object) {
  const release = deferred();
  const arrivals: (() => void)[] = [];
  const echo = (message: Text) => message;
  const it = await pair(
    Limited,
    {
      echo,
      async hold(message) {
        arrivals.shift()?.();
        await release.promise;
        return message;
      },
      chat: (requests) => requests,
      async *count(message) {
        arrivals.shift()?.();
        await release.promise;
        yield message;
      },
    },
    { transport, server },
  );
  const arrived = (count: number) =>
    Promise.all(Array.from({ length: count }, () => new Promise<void>((resolve) => arrivals.push(resolve))));
  return Object.assign(it, { release, arrived });
}

for (const transport of ['memory', 'h2', 'grpc-js'] as const) {
  describe(`limits of a server over ${transport}`, () => {
    test('calls in flight: as many as allowed, of any kind, and the next is refused', LIMIT, async () => {
      await using it = await limited(transport, { maxConcurrentCalls: 3 });
      const all = it.arrived(3);
      const held = [
        it.api.hold({ text: '1' }),
        it.api.hold({ text: '2' }),
        collect(it.api.count({ text: '3' })),
      ];
      await all;
      for (const error of await failures(it.api.echo({ text: '4' }), collect(it.api.chat(stream([]))))) {
        assert.equal(error.code, Status.RESOURCE_EXHAUSTED);
        assert.match(error.details, /3 calls in flight/);
      }
      for (let i = 0; i < 27; i++)
        assert.equal((await failure(it.api.echo({ text: '' }))).code, Status.RESOURCE_EXHAUSTED);
      it.release.resolve();
      await Promise.all(held);
      // Every place is free again, whatever had been refused meanwhile.
      for (let i = 0; i < 10; i++) await Promise.all([1, 2, 3].map(() => it.api.echo({ text: '' })));
    });

    test('metadata: the limit goes through, one byte more and ten times as much do not', LIMIT, async () => {
      const maxMetadataBytes = 1_024;
      await using it = await limited(transport, { maxMetadataBytes });
      const of = (bytes: number) => new Metadata().set('x-fill', 'f'.repeat(bytes - 32 - 'x-fill'.length));
      assert.equal(of(maxMetadataBytes).sizeBytes, maxMetadataBytes);
      await it.api.echo({ text: '' }, { metadata: of(maxMetadataBytes) });
      for (const bytes of [maxMetadataBytes + 1, 10 * maxMetadataBytes]) {
        const error = await failure(it.api.echo({ text: '' }, { metadata: of(bytes) }));
        assert.equal(error.code, Status.RESOURCE_EXHAUSTED);
        assert.match(error.details, new RegExp(`${bytes} bytes.*1024`));
        const stream = it.api.chat(messages(), { metadata: of(bytes) });
        assert.equal((await failure(collect(stream))).code, Status.RESOURCE_EXHAUSTED);
      }
      await it.api.echo({ text: '' });
    });

    test('metadata is limited without an option, too', LIMIT, async () => {
      await using it = await limited(transport, {});
      const metadata = new Metadata().set('x-fill', 'f'.repeat(16 * 1_024));
      assert.equal((await failure(it.api.echo({ text: '' }, { metadata }))).code, Status.RESOURCE_EXHAUSTED);
      metadata.set('x-fill', 'f'.repeat(15 * 1_024));
      await it.api.echo({ text: '' }, { metadata });
    });

    test('a message: the limit goes through, one byte more and ten times as much do not', LIMIT, async () => {
      const maxMessageBytes = 2_048;
      await using it = await limited(transport, { maxMessageBytes });
      const of = (bytes: number) => ({ text: 't'.repeat(bytes - '{"text":""}'.length) });
      const most = of(maxMessageBytes);
      assert.deepEqual(await it.api.echo(most), most);
      assert.deepEqual(await collect(it.api.chat(stream([most, most]))), [most, most]);
      for (const bytes of [maxMessageBytes + 1, 10 * maxMessageBytes]) {
        assert.equal((await failure(it.api.echo(of(bytes)))).code, Status.RESOURCE_EXHAUSTED);
        const chat = it.api.chat(stream([most, of(bytes)]));
        assert.equal((await failure(collect(chat))).code, Status.RESOURCE_EXHAUSTED);
      }
      assert.deepEqual(await it.api.echo(most), most);
    });
  });
}

test('a header over the limit fails the call, whose trailer is told all the same', LIMIT, async () => {
  await using it = await pair(Limited, {
    echo(message, context) {
      context.header.set('x-large', 'v'.repeat(20_000));
      context.trailer.set('x-told', 'yes');
      return message;
    },
    hold: (message) => message,
    chat: (requests) => requests,
    count: messages,
  });
  let trailer = new Metadata();
  const error = await failure(it.api.echo({ text: '' }, { onTrailer: (told) => (trailer = told) }));
  assert.equal(error.code, Status.INTERNAL);
  assert.match(error.details, /^the header of the reply has \d+ bytes/);
  assert.equal(trailer.get('x-told'), 'yes');
});

async function* messages(): AsyncGenerator<Text, void> {
  yield { text: 'a' };
}
