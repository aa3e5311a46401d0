import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { END_HEADERS, END_STREAM } from '../../../transport/h2/protocol.js';
import { turn } from './fake-socket.js';
import { data, headers, message, namelessFields, ping, reset, settings, settingsAck } from './frames.js';
import { type Handled, serverSide } from './server-side.js';

const SETTINGS = Buffer.concat([settings(), settingsAck]);
const CANCEL = 8;
const GRPC_JS = 'grpc-node-js/1.14.0';

const open = (userAgent: string | undefined) =>
  headers(1, [...namelessFields('/t/Chat'), ...(userAgent ? ['user-agent', userAgent] : [])]);
const one = message(Buffer.from('one'));
const endAlone = data(1, Buffer.alloc(0), END_STREAM);

/** What the handler has seen: whole requests, a cancellation, or neither yet. */
const seen = ({ ended, cancelled }: Handled) =>
  ended > 0 ? 'whole' : cancelled[0] ? cancelled[0].status : 'open';

describe('the end of requests that may be reset', () => {
  const broken: Record<string, Buffer[]> = {
    'in one chunk': [Buffer.concat([data(1, one, 0), endAlone, reset(1, CANCEL)])],
    'in the next chunk': [Buffer.concat([data(1, one, 0), endAlone]), reset(1, CANCEL)],
    'in the next chunk, behind a frame of the connection': [
      Buffer.concat([data(1, one, 0), endAlone]),
      Buffer.concat([ping(), reset(1, CANCEL)]),
    ],
    'with the last message': [data(1, one, END_STREAM), reset(1, CANCEL)],
    'as trailers': [data(1, one, 0), headers(1, ['x-any', '1'], END_HEADERS | END_STREAM), reset(1, CANCEL)],
    'byte by byte': [...Buffer.concat([data(1, one, 0), endAlone, reset(1, CANCEL)])].map((byte) =>
      Buffer.from([byte]),
    ),
    'without a message': [endAlone, reset(1, CANCEL)],
  };
  for (const userAgent of [
    undefined,
    GRPC_JS,
    'connect-es/2.1.2',
    'my-app/1.0 grpc-node-js/1.9.5 x',
    'lictor-gateway/2.0 grpc-node-js/1.9.5',
    'lictor/1.0 grpc-node-js/1.9.5',
    'grpc-go-migration',
    'my grpc-go/1.60.0 grpc-node-js/1.9.5',
  ]) {
    for (const [how, chunks] of Object.entries(broken)) {
      it(`of ${userAgent ?? 'a client without a name'} is a cancellation: ${how}`, async () => {
        const server = serverSide();
        await server.receive(SETTINGS, open(userAgent), ...chunks);
        await turn();
        assert.equal(seen(server.handled), 'CANCELLED');
      });
    }
  }

  it('is an end when the next chunk brings no reset', async () => {
    const server = serverSide();
    await server.receive(SETTINGS, open(GRPC_JS), Buffer.concat([data(1, one, 0), endAlone]));
    assert.equal(seen(server.handled), 'open');
    await server.receive(ping());
    assert.equal(seen(server.handled), 'whole');
  });

  it('is an end when nothing comes any more', async () => {
    const server = serverSide();
    await server.receive(SETTINGS, open(GRPC_JS), Buffer.concat([data(1, one, 0), endAlone]));
    assert.equal(seen(server.handled), 'open');
    while (seen(server.handled) === 'open') await sleep(1);
    assert.equal(seen(server.handled), 'whole');
  });

  it('is held while the socket is not read', async () => {
    const server = serverSide();
    server.socket.pause();
    await server.receive(SETTINGS, open(GRPC_JS), data(1, one, END_STREAM));
    await sleep(30);
    assert.equal(seen(server.handled), 'open');
    server.socket.resume();
    await server.receive(reset(1, CANCEL));
    assert.equal(seen(server.handled), 'CANCELLED');
  });

  it('is an end when the socket is read again and brings no reset', async () => {
    const server = serverSide();
    server.socket.pause();
    await server.receive(SETTINGS, open(GRPC_JS), data(1, one, END_STREAM));
    await sleep(30);
    assert.equal(seen(server.handled), 'open');
    server.socket.resume();
    while (seen(server.handled) === 'open') await sleep(1);
    assert.equal(seen(server.handled), 'whole');
  });

  it('is held while the next frame has come only in part', async () => {
    const server = serverSide();
    const late = reset(1, CANCEL);
    await server.receive(SETTINGS, open(GRPC_JS), data(1, one, END_STREAM), late.subarray(0, 12));
    assert.equal(seen(server.handled), 'open');
    await server.receive(late.subarray(12));
    assert.equal(seen(server.handled), 'CANCELLED');
  });

  it('is an end at once for clients that reset without ending', async () => {
    for (const userAgent of [
      'lictor',
      'lictor/1.0.0',
      'grpc-go/1.60.0',
      'my-app grpc-go/1.60.0',
      'grpc-python/1.51.1 grpc-c/29.0.0 (linux; chttp2)',
      'grpc-c++/1.51.1 grpc-c/29.0.0 (linux; chttp2)',
      'grpc-java-netty/1.60.0',
      'grpc-swift-nio/1.23.0',
      'grpc-dotnet/2.60.0 (.NET 8.0)',
      'dart-grpc/2.0.0',
      'tonic/0.11.0',
    ]) {
      const server = serverSide();
      await server.receive(SETTINGS, open(userAgent), data(1, one, END_STREAM));
      assert.equal(seen(server.handled), 'whole', userAgent);
    }
  });

  it('delays no unary call', async () => {
    const server = serverSide();
    const fields = [...namelessFields('/t/Echo'), 'user-agent', GRPC_JS];
    await server.receive(SETTINGS, headers(1, fields), data(1, one, END_STREAM));
    assert.equal(server.handled.unary.length, 1);
  });

  it('of a stream that is over meanwhile does nothing', async () => {
    const server = serverSide();
    await server.receive(SETTINGS, open(GRPC_JS), data(1, one, END_STREAM));
    server.connection.cutOff();
    await sleep(10);
    assert.notEqual(seen(server.handled), 'whole');
  });

  it('of many streams is held for each of them', async () => {
    const server = serverSide();
    const ids = [1, 3, 5, 7];
    const requests = ids.map((id) =>
      Buffer.concat([
        headers(id, [...namelessFields('/t/Chat'), 'user-agent', GRPC_JS]),
        data(id, one, END_STREAM),
      ]),
    );
    await server.receive(
      SETTINGS,
      Buffer.concat(requests),
      Buffer.concat([reset(1, CANCEL), reset(5, CANCEL)]),
    );
    assert.equal(server.handled.cancelled.length, 2);
    assert.equal(server.handled.ended, 2);
    assert.equal(server.error, undefined);
  });
});
