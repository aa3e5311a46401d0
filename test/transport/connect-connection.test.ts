import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent } from 'node:http';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { Client } from 'lictor';
import { Probe, post, RawConnection, requestText, running } from './connect-probe.js';

const ECHO = '/lictor.test.Web/Echo';
const HANG = '/lictor.test.Web/Hang';
const WAIT = '/lictor.test.Web/Wait';
const json = (text: string) => JSON.stringify({ text });

describe('a connection of HTTP/1.1 to a port of HTTP/2', () => {
  test('is used for one call after the other', async () => {
    await using server = await running();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<Socket>();
    for (let i = 0; i < 20; i++) {
      const onRequest = (request: { once(event: 'socket', listener: (socket: Socket) => void): unknown }) =>
        request.once('socket', (socket) => sockets.add(socket));
      const mistake = i % 3 === 0;
      const reply = await post(server.address, ECHO, {
        body: mistake ? '{' : json(`${i}`),
        agent,
        onRequest,
      });
      assert.equal(reply.status, mistake ? 400 : 200);
    }
    assert.equal(sockets.size, 1);
    agent.destroy();
  });

  test('answers pipelined calls in their order, whichever is done first', async () => {
    await using server = await running();
    const raw = new RawConnection(server.address);
    raw.send(
      [requestText(WAIT, json('one')), requestText(WAIT, json('two')), requestText(ECHO, json('three'))].join(
        '',
      ),
    );
    await server.bench.until(() => server.bench.waiting.length === 2);
    server.bench.release(1);
    server.bench.release(0);
    const text = await raw.comes(/three/);
    assert.deepEqual(
      [...text.matchAll(/"text":"(\w+)"/g)].map((match) => match[1]),
      ['one', 'two', 'three'],
    );
    raw.socket.destroy();
  });

  test('has no more calls in flight than allowed on one connection', async () => {
    await using server = await running({ maxStreamsPerConnection: 2 });
    const raw = new RawConnection(server.address);
    raw.send(
      requestText(WAIT, json('one')) + requestText(WAIT, json('two')) + requestText(WAIT, json('three')),
    );
    await server.bench.until(() => server.bench.waiting.length === 2);
    server.bench.release(0);
    server.bench.release(1);
    await raw.comes(/429 Too Many Requests[\s\S]*the connection has 2 calls in flight, its limit/);
    assert.equal(server.bench.started, 2);
    raw.socket.destroy();
  });

  test('may bring a request byte by byte', async () => {
    await using server = await running();
    const raw = new RawConnection(server.address);
    for (const byte of requestText(ECHO, json('dribbled'))) {
      raw.send(byte);
      await new Promise(setImmediate);
    }
    await raw.comes(/200 OK[\s\S]*\{"text":"dribbled"\}/);
    raw.socket.destroy();
  });

  test('may be cut anywhere', async () => {
    await using server = await running();
    const request = requestText(ECHO, json('whole'), ['connection: close']);
    const cuts = Array.from({ length: request.length - 1 }, (_, i) => i + 1);
    await Promise.all(
      cuts.map(async (cut) => {
        const raw = new RawConnection(server.address);
        await once(raw.socket, 'connect');
        raw.send(request.slice(0, cut));
        await new Promise(setImmediate);
        raw.send(request.slice(cut));
        assert.match(await raw.closed, /200 OK[\s\S]*\{"text":"whole"\}$/, `cut after ${cut} bytes`);
      }),
    );
  });

  test('may send a body in very many pieces', async () => {
    await using server = await running();
    const body = json('a'.repeat(100_000));
    const pieces = [...body].map((letter) => `1\r\n${letter}\r\n`).join('');
    const raw = new RawConnection(server.address);
    const head = requestText(ECHO, '', ['transfer-encoding: chunked']).replace('content-length: 0\r\n', '');
    raw.send(`${head}${pieces}0\r\n\r\n`);
    await raw.comes(/200 OK[\s\S]*a"\}$/);
    raw.socket.destroy();
  });

  test('may be of HTTP/1.0', async () => {
    await using server = await running();
    const raw = new RawConnection(server.address).send(
      requestText(ECHO, json('old')).replace('HTTP/1.1', 'HTTP/1.0'),
    );
    assert.match(await raw.closed, /connection: close[\s\S]*\{"text":"old"\}$/i);
  });

  test('may offer to go over to h2c, which is not taken up', async () => {
    await using server = await running();
    const headers = [
      'connection: upgrade, http2-settings',
      'upgrade: h2c',
      'http2-settings: AAMAAABkAAQAoAAAAAIAAAAA',
    ];
    const raw = new RawConnection(server.address).send(requestText(ECHO, json('as it was'), headers));
    const text = await raw.comes(/\{"text":"as it was"\}$/);
    assert.match(text, /^HTTP\/1\.1 200 OK/);
    assert.deepEqual([...server.bench.metadata], []);
    raw.socket.destroy();
  });

  test('cancels its calls when it is closed by the client', async () => {
    await using server = await running();
    const raw = new RawConnection(server.address).send(requestText(HANG, '{}') + requestText(HANG, '{}'));
    await server.bench.until(() => server.bench.started === 2);
    raw.socket.destroy();
    await server.bench.until(() => server.bench.aborted.length === 2);
    assert.deepEqual(server.bench.aborted, ['CANCELLED', 'CANCELLED']);
  });

  test('may stand beside gRPC on the same port', async () => {
    await using server = await running();
    await using client = new Client({ target: server.address, transport: 'h2' });
    const probe = client.service(Probe);
    const calls = Array.from({ length: 100 }, (_, i) => `${i}`);
    const [byGrpc, byHttp] = await Promise.all([
      Promise.all(calls.map(async (text) => (await probe.echo({ text })).text)),
      Promise.all(calls.map(async (text) => (await post(server.address, ECHO, { body: json(text) })).json)),
    ]);
    assert.deepEqual(byGrpc, calls);
    assert.deepEqual(
      byHttp,
      calls.map((text) => ({ text })),
    );
  });
});

describe('what is neither HTTP/1.1 nor HTTP/2', () => {
  const nonsense: [what: string, bytes: string | Buffer][] = [
    ['a hello of TLS', Buffer.from('16030102000100 01fc0303'.replace(' ', ''), 'hex')],
    ['zeros', Buffer.alloc(64)],
    ['a frame of gRPC without HTTP', Buffer.from('0032000000', 'hex')],
    ['a command of another protocol', '*1\r\n$4\r\nPING\r\n'],
    ['a preface that goes wrong', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\rX'],
    ['HTTP/1.1 that goes wrong', 'POST / HTTP/1.1\r\nbad header\r\n\r\n'],
    ['a length that is no number', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9x\r\n\r\n'],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a request without a host', 'POST / HTTP/1.1\r\n\r\n'],
    ['a tunnel', 'CONNECT other:80 HTTP/1.1\r\nhost: other:80\r\n\r\n'],
  ];
  for (const [what, bytes] of nonsense) {
    test(`${what} is answered with 400 or nothing, and closed at once`, async () => {
      await using server = await running();
      const text = await new RawConnection(server.address).send(bytes).closed;
      assert.match(text, /^(HTTP\/1\.1 400 Bad Request\r\n|$)/);
      assert.equal((await post(server.address, ECHO, { body: json('still here') })).status, 200);
    });
  }

  test('says what it is not', async () => {
    await using server = await running();
    const text = await new RawConnection(server.address).send('*1\r\n$4\r\nPING\r\n').closed;
    assert.match(text, /\{"code":"invalid_argument","message":"this is no HTTP\/1\.1 or HTTP\/2: .*"\}$/);
  });

  test('after a call ends that call, too, with one answer for both', async () => {
    await using server = await running();
    const raw = new RawConnection(server.address).send(requestText(HANG, '{}'));
    await server.bench.until(() => server.bench.started === 1);
    raw.send('\x00\x01garbage');
    const text = await raw.closed;
    assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.equal(text.match(/HTTP\/1\.1 \d/g)?.length, 1);
    assert.deepEqual(server.bench.aborted, ['CANCELLED']);
  });

  test('a body that goes on long after its refusal ends the connection', async () => {
    await using server = await running({ maxMessageBytes: 1_000 });
    const raw = new RawConnection(server.address);
    raw.send(requestText('/nowhere', '').replace('content-length: 0', 'content-length: 1000000000'));
    await raw.comes(/404 Not Found/);
    const chunk = Buffer.alloc(10_000);
    const pump = () => {
      if (!raw.socket.destroyed) raw.socket.write(chunk, () => setImmediate(pump));
    };
    pump();
    await raw.closed;
  });
});

describe('closing a server with connections of HTTP/1.1', () => {
  test('ends those without a call at once', async () => {
    await using server = await running();
    const raw = new RawConnection(server.address).send(requestText(ECHO, json('done')));
    await raw.comes(/done/);
    await server.server.close();
    await raw.closed;
  });

  test('lets calls in flight end, and says that the connection does', async () => {
    await using server = await running();
    const raw = new RawConnection(server.address).send(
      requestText(WAIT, json('one')) + requestText(WAIT, json('two')),
    );
    await server.bench.until(() => server.bench.waiting.length === 2);
    const closed = server.server.close();
    await new Promise(setImmediate);
    server.bench.release(1);
    server.bench.release(0);
    const text = await raw.closed;
    assert.deepEqual(
      [...text.matchAll(/"text":"(\w+)"/g)].map((match) => match[1]),
      ['one', 'two'],
    );
    assert.equal(text.match(/connection: close/gi)?.length, 1);
    await closed;
  });

  test('answers 503 to what is not done when the grace is over, and cancels it', async () => {
    await using server = await running({ graceMs: 20 });
    const reply = post(server.address, HANG);
    await server.bench.until(() => server.bench.started === 1);
    await server.server.close();
    assert.equal((await reply).status, 503);
    assert.deepEqual((await reply).json, { code: 'unavailable', message: 'the server was closed' });
    assert.deepEqual(server.bench.aborted, ['UNAVAILABLE']);
  });

  test('under load answers every call that a handler has seen', async () => {
    await using server = await running();
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    let answered = 0;
    const caller = async () => {
      for (;;) {
        const reply = await post(server.address, ECHO, { body: json('load'), agent }).catch(() => undefined);
        if (!reply) return;
        assert.equal(reply.status, 200);
        if (++answered === 200) void server.server.close();
      }
    };
    await Promise.all(Array.from({ length: 8 }, caller));
    await server.server.close();
    assert.equal(answered, server.bench.started);
    agent.destroy();
  });
});
