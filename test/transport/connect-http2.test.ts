import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Client, type Interceptor, type ServerOptions } from 'lictor';
import { Probe, running } from './connect-probe.js';

const ECHO = '/lictor.test.Web/Echo';
const HANG = '/lictor.test.Web/Hang';
const json = (text: string) => JSON.stringify({ text });

async function session(options: ServerOptions = {}, settings = {}) {
  const server = await running(options);
  const client = connect(`http://${server.address}`, { settings });
  client.on('error', () => {});
  return {
    ...server,
    client,
    async [Symbol.asyncDispose]() {
      client.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function post(
  client: ClientHttp2Session,
  path: string,
  body: string | Buffer,
  headers: IncomingHttpHeaders = {},
) {
  const stream = client.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/json',
    ...headers,
  });
  stream.end(body);
  const response = once(stream, 'response') as Promise<[IncomingHttpHeaders]>;
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [fields] = await response;
  if (!stream.readableEnded) await once(stream, 'end');
  const bytes = Buffer.concat(chunks);
  return { status: Number(fields[':status']), headers: fields, bytes, text: bytes.toString() };
}

describe('the Connect protocol over HTTP/2', () => {
  test('takes JSON and answers with JSON, beside gRPC on the same port', async () => {
    await using server = await session();
    await using client = new Client({ target: server.address, transport: 'h2' });
    const probe = client.service(Probe);
    const texts = Array.from({ length: 100 }, (_, i) => `${i}`);
    const [byGrpc, byJson] = await Promise.all([
      Promise.all(texts.map(async (text) => (await probe.echo({ text })).text)),
      Promise.all(texts.map(async (text) => (await post(server.client, ECHO, json(text))).text)),
    ]);
    assert.deepEqual(byGrpc, texts);
    assert.deepEqual(byJson, texts.map(json));
  });

  test('carries metadata both ways', async () => {
    await using server = await session();
    const reply = await post(server.client, ECHO, json(''), { 'x-a': '1', 'y-b-bin': 'AP8=', cookie: 'c=d' });
    assert.equal(reply.headers['x-a'], '1');
    assert.equal(reply.headers['trailer-y-b-bin'], 'AP8');
    assert.deepEqual([...server.bench.metadata].map(([key]) => key).sort(), ['cookie', 'x-a', 'y-b-bin']);
  });

  test('answers mistakes with what is wrong', async () => {
    await using server = await session();
    const cases: [path: string, body: string, headers: IncomingHttpHeaders, status: number, says: RegExp][] =
      [
        ['/', '', {}, 404, /call POST \/package\.Service\/Method/],
        [ECHO, '', { 'content-type': 'text/plain' }, 415, /application\/json is wanted/],
        [ECHO, '{', {}, 400, /malformed json/],
        ['/lictor.test.Web/Fail', '{"code":5}', {}, 404, /"code":"not_found","message":"as you wished/],
      ];
    for (const [path, body, headers, status, says] of cases) {
      const reply = await post(server.client, path, body, headers);
      assert.equal(reply.status, status);
      assert.match(reply.text, says);
    }
  });

  test('answers GET with how to call', async () => {
    await using server = await session();
    const stream = server.client.request({ ':path': ECHO });
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    assert.equal(headers[':status'], 405);
    assert.equal(headers.allow, 'POST');
  });

  test('takes messages up to the limit', async () => {
    await using server = await session({ maxMessageBytes: 1_000_000 });
    const body = (bytes: number) => json('a'.repeat(bytes - json('').length));
    const reply = await post(server.client, ECHO, body(1_000_000));
    assert.equal(reply.text, body(1_000_000));
    const refused = await post(server.client, ECHO, body(1_000_001));
    assert.equal(refused.status, 429);
    assert.match(refused.text, /message of more than 1000000 bytes/);
  });

  test('resets a request that goes on long after its refusal', async () => {
    await using server = await session({ maxMessageBytes: 1_000 });
    const stream = server.client.request({ ':method': 'POST', ':path': '/nowhere' });
    stream.on('error', () => {});
    stream.resume();
    const closed = once(stream, 'close');
    const chunk = Buffer.alloc(10_000);
    const pump = () => {
      if (!stream.closed && !stream.destroyed) stream.write(chunk, () => setImmediate(pump));
    };
    pump();
    await closed;
    assert.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR);
  });

  test('sends replies in the pieces that a small window lets through', async () => {
    await using server = await session({}, { initialWindowSize: 1_000 });
    const long = json('b'.repeat(200_000));
    const replies = await Promise.all([1, 2, 3].map(() => post(server.client, ECHO, long)));
    for (const { text } of replies) assert.equal(text, long);
  });

  test('compresses replies for those who take it', async () => {
    await using server = await session({ compression: 'gzip' });
    const reply = await post(server.client, ECHO, json('a'.repeat(1_000)), { 'accept-encoding': 'gzip' });
    assert.equal(reply.headers['content-encoding'], 'gzip');
    assert.equal(gunzipSync(reply.bytes).toString(), json('a'.repeat(1_000)));
  });

  test('ends a call at its deadline, while its body comes, too', async () => {
    await using server = await session();
    const reply = await post(server.client, HANG, '{}', { 'connect-timeout-ms': '50' });
    assert.equal(reply.status, 504);
    assert.deepEqual(server.bench.aborted, ['DEADLINE_EXCEEDED']);
    const stream = server.client.request({
      ':method': 'POST',
      ':path': ECHO,
      'content-type': 'application/json',
      'connect-timeout-ms': '50',
    });
    stream.write('{');
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    assert.equal(headers[':status'], 504);
  });

  test('cancels a call that the client resets, or whose connection it closes', async () => {
    await using server = await session();
    const headers = { ':method': 'POST', ':path': HANG, 'content-type': 'application/json' };
    const streams = [server.client.request(headers), server.client.request(headers)];
    for (const stream of streams) stream.on('error', () => {}).end('{}');
    await server.bench.until(() => server.bench.started === 2);
    streams[0]!.close(constants.NGHTTP2_CANCEL);
    await server.bench.until(() => server.bench.aborted.length === 1);
    server.client.destroy();
    await server.bench.until(() => server.bench.aborted.length === 2);
    assert.deepEqual(server.bench.aborted, ['CANCELLED', 'UNAVAILABLE']);
  });

  test('lets calls in flight end when the server closes, and answers 503 after the grace', async () => {
    await using server = await session({ graceMs: 100 });
    const done = post(server.client, '/lictor.test.Web/Wait', json('done'));
    const stuck = post(server.client, HANG, '{}');
    await server.bench.until(() => server.bench.started === 2);
    const closed = server.server.close();
    server.bench.release(0);
    assert.equal((await done).text, json('done'));
    assert.equal((await stuck).status, 503);
    await closed;
  });

  test('does not take a request that breaks off for a whole one', async () => {
    const texts: string[] = [];
    const note: Interceptor = (call, next) => {
      texts.push((call.message as { text: string }).text);
      return next(call);
    };
    await using server = await session({ interceptors: [note] });
    for (let i = 0; i < 50; i++) {
      // Without a content-length, and such that what has come looks like a message.
      const stream = server.client.request({
        ':method': 'POST',
        ':path': ECHO,
        'content-type': 'application/json',
      });
      stream.on('error', () => {});
      stream.write(json('half'));
      // The server has read it when it has answered this.
      await new Promise((resolve) => server.client.ping(resolve));
      stream.close(constants.NGHTTP2_CANCEL);
      await once(stream, 'close');
    }
    await post(server.client, ECHO, json('whole'));
    assert.deepEqual(texts, ['whole']);
  });
});
