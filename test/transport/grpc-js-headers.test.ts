import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, constants, type IncomingHttpHeaders } from 'node:http2';
import { describe, test } from 'node:test';
import { type CallContext, defineService, type Metadata, unary } from 'lictor';
import { pair } from '../pair.js';

const Echo = defineService('headers.Echo', { echo: unary<object, object>() });
const LIMIT = { timeout: 20_000 };

const start = (seen: CallContext[] = []) =>
  pair(
    Echo,
    {
      echo: (_, context) => {
        seen.push(context);
        context.header.merge(context.metadata);
        context.trailer.merge(context.metadata);
        return {};
      },
    },
    { transport: 'grpc-js', client: { timeoutMs: 15_000 } },
  );

/** A call by hand, with headers that no gRPC client of ours would send. */
async function raw(address: string, headers: Record<string, string>): Promise<IncomingHttpHeaders> {
  const session = connect(`http://${address}`);
  try {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: '/headers.Echo/Echo',
      'content-type': 'application/grpc+json',
      te: 'trailers',
      ...headers,
    });
    let trailers: IncomingHttpHeaders = {};
    stream.on('trailers', (received) => {
      trailers = received;
    });
    const response = once(stream, 'response') as Promise<[IncomingHttpHeaders]>;
    stream.end(Buffer.from([0, 0, 0, 0, 2, 0x7b, 0x7d]));
    const [first] = await response;
    stream.resume();
    await once(stream, 'close');
    return { ...first, ...trailers };
  } finally {
    session.close();
  }
}

describe('metadata over grpc-js', () => {
  test('that HTTP/2 knows as headers of its own travels like any other', LIMIT, async () => {
    await using it = await start();
    const keys = ['authorization', 'cookie', 'date', 'etag', 'age', 'location', 'accept-encoding', 'expect'];
    for (const key of [...keys, 'server', 'set-cookie', 'trailer', 'x-plain', 'constructor', 'tostring'])
      await it.api.echo({}, { metadata: { [key]: 'a' }, onHeader() {}, onTrailer() {} });
  });

  test('twice under a key that HTTP/2 allows once is one line with a comma, both ways', LIMIT, async () => {
    const seen: CallContext[] = [];
    await using it = await start(seen);
    for (const key of ['authorization', 'date', 'etag', 'age', 'location', 'x-content-type-options']) {
      const told: Metadata[] = [];
      const keep = (metadata: Metadata) => void told.push(metadata);
      await it.api.echo({}, { metadata: { [key]: ['a', 'b', 'c'] }, onHeader: keep, onTrailer: keep });
      assert.equal(seen.at(-1)!.metadata.get(key), 'a, b, c');
      for (const metadata of told) assert.equal(metadata.get(key), 'a, b, c');
      assert.equal(told.length, 2);
    }
  });

  test('with commas, spaces within or nothing at all arrives', LIMIT, async () => {
    const seen: CallContext[] = [];
    await using it = await start(seen);
    await it.api.echo(
      {},
      { metadata: { 'x-comma': 'a,b', 'x-empty': '', 'x-inner': 'a  b', 'y-bin': new Uint8Array() } },
    );
    const { metadata } = seen[0]!;
    assert.equal(metadata.getAll('x-comma').join(), 'a,b');
    assert.equal(metadata.get('x-empty'), '');
    assert.equal(metadata.get('x-inner'), 'a  b');
    assert.equal(metadata.getBinary('y-bin')?.length, 0);
  });
});

describe('grpc-timeout from a peer', () => {
  const remaining = async (timeout: string) => {
    const seen: CallContext[] = [];
    await using it = await start(seen);
    const answer = await raw(it.server.address, { 'grpc-timeout': timeout });
    return { status: Number(answer['grpc-status']), remainingMs: seen[0]?.remainingMs };
  };

  test('that is long is cut to 24 hours and does not overflow', LIMIT, async () => {
    for (const timeout of ['99999999H', '3600000S', '99999999S', '2147483648m'.slice(-8)]) {
      const { status, remainingMs } = await remaining(timeout);
      assert.equal(status, 0, timeout);
      assert.ok(remainingMs! > 3_600_000 && remainingMs! <= 86_400_001, `${timeout}: ${remainingMs} ms`);
    }
  });

  test('that the specification does not allow fails the call', LIMIT, async () => {
    for (const timeout of ['99999999999S', '-1S', '1.5S', 'S', '1', 'soon', '1 S']) {
      const { status, remainingMs } = await remaining(timeout);
      assert.notEqual(status, 0, timeout);
      assert.equal(remainingMs, undefined, `${timeout} reached the handler`);
    }
  });
});
