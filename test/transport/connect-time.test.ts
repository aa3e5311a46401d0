import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { json, silentLogger } from 'lictor';
import { type Http1Limits, Http1Server } from '../../transport/connect/http1.js';
import type { IncomingUnary, Route } from '../../transport/transport.js';
import { wireMethod } from '../../transport/wire-method.js';
import { Probe, RawConnection, requestText } from './connect-probe.js';

const ECHO = '/lictor.test.Web/Echo';

/** The HTTP/1.1 of a server alone, with time-outs that a test can wait for. */
async function listening(limits: Partial<Http1Limits>) {
  const cancelled: string[] = [];
  const wire = wireMethod(Probe.methods.echo, json, { bytes: 1_000_000, side: 'server' });
  const route: Route = {
    kind: 'unary',
    wire: () => wire,
    unary: (call: IncomingUnary, request) => call.reply(request),
    stream: () => {
      throw new Error('not here');
    },
  };
  const http1 = new Http1Server(
    {
      address: '',
      tls: undefined,
      routes: new Map([[ECHO, route]]),
      maxMessageBytes: 1_000,
      maxMetadataBytes: 16 * 1024,
      maxStreamsPerConnection: 10,
      maxConnectionsPerAddress: 10,
      compression: 'identity',
      logger: silentLogger,
    },
    limits,
  );
  const server = createServer((socket) => socket.once('data', (seen) => http1.take(socket, seen)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as { port: number }).port}`;
  return {
    address,
    cancelled,
    [Symbol.dispose]() {
      http1.cutOff();
      server.close();
    },
  };
}

describe('a client of HTTP/1.1 that is slow', () => {
  test('with its header is told so and left', async () => {
    using server = await listening({ headersTimeoutMs: 50 });
    const raw = new RawConnection(server.address).send('POST / HTTP/1.1\r\nx: ');
    const drip = setInterval(() => raw.send('a'), 10);
    const text = await raw.closed;
    clearInterval(drip);
    assert.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*"the request took too long to come"\}$/);
  });

  test('with its body is told so and left', async () => {
    using server = await listening({ headersTimeoutMs: 50, requestTimeoutMs: 100 });
    const raw = new RawConnection(server.address).send(
      requestText(ECHO, '').replace('length: 0', 'length: 900'),
    );
    const drip = setInterval(() => raw.send('a'), 10);
    const text = await raw.closed;
    clearInterval(drip);
    assert.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n/);
  });

  test('with its next request is left', async () => {
    using server = await listening({ keepAliveTimeoutMs: 50 });
    const raw = new RawConnection(server.address).send(requestText(ECHO, '{"text":"a"}'));
    assert.match(await raw.closed, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\{"text":"a"\}$/);
  });

  test('with the header of its next request is told so and left', async () => {
    using server = await listening({ headersTimeoutMs: 50 });
    const raw = new RawConnection(server.address).send(requestText(ECHO, '{"text":"a"}'));
    await raw.comes(/"a"/);
    raw.send('POST ');
    assert.match(await raw.closed, /408 Request Timeout/);
  });

  test('is left among many, while the others are served', async () => {
    using server = await listening({ headersTimeoutMs: 50 });
    const slow = Array.from({ length: 200 }, () =>
      new RawConnection(server.address).send('POST / HTTP/1.1\r\n'),
    );
    const quick = new RawConnection(server.address).send(requestText(ECHO, '{"text":"a"}'));
    await quick.comes(/"a"/);
    await Promise.all(slow.map((raw) => raw.closed));
    quick.socket.destroy();
  });
});
