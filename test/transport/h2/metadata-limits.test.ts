import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defineService, Metadata, RpcError, type ServerOptions, Status, serverStream, unary } from 'lictor';
import { collect, failure } from '../../contract/transport.js';
import { deferred } from '../../deferred.js';
import { pair } from '../../pair.js';
import { turn } from './fake-socket.js';
import { call, settings, settingsAck } from './frames.js';
import { serverSide } from './server-side.js';

/** Sizes of the metadata in a reply, as HTTP/2 counts them, and the characters of an error's text. */
type Wanted = { header?: number; trailer?: number; error?: number; text?: number };
const Sized = defineService('limits.Sized', {
  answer: unary<Wanted, Record<string, never>>(),
  hold: unary<Record<string, never>, Record<string, never>>(),
  list: serverStream<Wanted, Record<string, never>>(),
});

const sized = (key: string, bytes: number) => new Metadata().set(key, 'v'.repeat(bytes - 32 - key.length));

async function serving(server: ServerOptions = {}) {
  const release = deferred();
  const held = deferred();
  const it = await pair(
    Sized,
    {
      answer({ header, trailer, error, text = 0 }, context) {
        if (header) context.header.merge(sized('x-header', header));
        if (trailer) context.trailer.merge(sized('x-trailer', trailer));
        if (!error && !text) return {};
        const metadata = error ? { metadata: sized('x-error', error) } : {};
        throw new RpcError(Status.NOT_FOUND, 'é'.repeat(text), metadata);
      },
      async hold() {
        held.resolve();
        await release.promise;
        return {};
      },
      async *list() {
        yield {};
      },
    },
    { transport: 'h2', server },
  );
  return Object.assign(it, { release, held });
}

describe('metadata of one call concerns no other call', { timeout: 20_000 }, () => {
  it('a request with more than the server takes is refused before it is sent, connected or not yet', async () => {
    await using it = await serving();
    const metadata = sized('x-large', 100_000);
    const refused = async (call: Promise<unknown>) => {
      const error = await failure(call);
      assert.equal(error.code, Status.RESOURCE_EXHAUSTED);
      assert.equal(error.maybeExecuted, false);
      assert.match(error.details, /100\d{3} bytes.* takes 32768/);
    };
    await refused(it.api.answer({}, { metadata }));
    const neighbour = it.api.hold({});
    await it.held.promise;
    await refused(it.api.answer({}, { metadata }));
    await refused(collect(it.api.list({}, { metadata })));
    it.release.resolve();
    await neighbour;
  });

  it('a stream with more than the server takes is refused while it waits for the connection', async () => {
    await using it = await serving();
    const error = await failure(collect(it.api.list({}, { metadata: sized('x-large', 100_000) })));
    assert.equal(error.code, Status.RESOURCE_EXHAUSTED);
    assert.deepEqual(await collect(it.api.list({})), [{}]);
  });

  const replies: [name: string, wanted: Wanted, code: Status | undefined][] = [
    ['a header of 16 KiB', { header: 16_384 }, undefined],
    ['a trailer of 16 KiB', { trailer: 16_384 }, undefined],
    ['an error with 16 KiB', { error: 16_384 }, Status.NOT_FOUND],
    ['a trailer and an error of 9,000 bytes', { trailer: 9_000, error: 9_000 }, Status.NOT_FOUND],
    ['all that a reply may have', { trailer: 16_384, error: 16_384, text: 2_048 }, Status.NOT_FOUND],
  ];
  for (const [name, wanted, code] of replies) {
    it(`${name} comes through whole`, async () => {
      await using it = await serving();
      const neighbour = it.api.hold({});
      await it.held.promise;
      let [header, trailer] = [new Metadata(), new Metadata()];
      const options = {
        onHeader: (one: Metadata) => {
          header = one;
        },
        onTrailer: (one: Metadata) => {
          trailer = one;
        },
      };
      const error = await it.api.answer(wanted, options).then(
        () => undefined,
        (reason: unknown) => RpcError.from(reason),
      );
      assert.equal(error?.code, code);
      assert.equal(header.sizeBytes, wanted.header ?? 0);
      assert.equal(trailer.sizeBytes, (wanted.trailer ?? 0) + (wanted.error ?? 0));
      assert.equal(error?.details.length ?? 0, wanted.text ?? 0);
      it.release.resolve();
      await neighbour;
    });
  }

  it('a server’s limit of metadata is the limit also when it is large, in bytes and in fields', async () => {
    await using it = await serving({ maxMetadataBytes: 1_048_576 });
    for (const bytes of [40_000, 140_000, 1_048_576])
      await it.api.answer({}, { metadata: sized('x-large', bytes) });
    const metadata = new Metadata();
    for (let i = 0; i < 5_000; i++) metadata.add(`x-${i}`, 'v');
    await it.api.answer({}, { metadata });
    const error = await failure(it.api.answer({}, { metadata: sized('x-large', 1_048_577) }));
    assert.match(error.details, /metadata of 1048577 bytes, at most 1048576/);
  });

  it('150 fields are within the limit that a server has without an option', async () => {
    await using it = await serving();
    const metadata = new Metadata();
    for (let i = 0; i < 150; i++) metadata.add(`x-${i}`, 'v');
    await it.api.answer({}, { metadata });
  });
});

describe('a client that takes little', () => {
  const connected = async () => {
    const peer = serverSide();
    await peer.receive(settings([6, 1_000]), settingsAck, call(1, '', '/t/Hang'));
    return { peer, handled: peer.handled.unary[0]!.call };
  };
  const fieldsOf = (peer: ReturnType<typeof serverSide>) => {
    const { fields } = peer.answer(1);
    return (name: string) => (fields.includes(name) ? fields[fields.indexOf(name) + 1] : undefined);
  };

  it('gets the status and the text of an error without its metadata', async () => {
    const { peer, handled } = await connected();
    handled.fail(new RpcError(Status.NOT_FOUND, 'not here', { metadata: sized('x-error', 2_000) }));
    await turn();
    const field = fieldsOf(peer);
    assert.equal(field('grpc-status'), String(Status.NOT_FOUND));
    assert.match(String(field('grpc-message')), /^not here .*client takes 1000/);
    assert.equal(field('x-error'), undefined);
  });

  it('gets the beginning of a text that is too long for it', async () => {
    const { peer, handled } = await connected();
    handled.fail(new RpcError(Status.NOT_FOUND, 'x'.repeat(2_000)));
    await turn();
    const field = fieldsOf(peer);
    assert.equal(field('grpc-status'), String(Status.NOT_FOUND));
    assert.equal(field('grpc-message'), 'x'.repeat(128));
  });

  it('is told INTERNAL in place of a trailer that it does not take', async () => {
    const { peer, handled } = await connected();
    handled.trailer = sized('x-trailer', 2_000);
    handled.reply(Buffer.from('done'));
    await turn();
    const field = fieldsOf(peer);
    assert.equal(field('grpc-status'), String(Status.INTERNAL));
    assert.match(
      String(field('grpc-message')),
      /the trailer of the reply has \d+ bytes, its client takes 1000/,
    );
  });

  it('is told INTERNAL in place of a header that it does not take', async () => {
    const { peer, handled } = await connected();
    assert.throws(
      () => handled.sendHeader(sized('x-header', 2_000)),
      /INTERNAL.*the header of the reply has \d+ bytes, its client takes 1000/,
    );
    handled.fail(new RpcError(Status.INTERNAL, 'as thrown'));
    await turn();
    const field = fieldsOf(peer);
    assert.equal(field(':status'), '200');
    assert.equal(field('grpc-status'), String(Status.INTERNAL));
    assert.equal(peer.error, undefined);
  });
});
