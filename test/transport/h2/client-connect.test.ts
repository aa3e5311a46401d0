import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { Client, Server, Status, silentLogger } from 'lictor';
import { RpcError } from '../../../rpc/error.js';
import { wheel } from '../../../rpc/timer-wheel.js';
import { h2 } from '../../../transport/h2/engine.js';
import { PREFACE } from '../../../transport/h2/protocol.js';
import type { WireMethod } from '../../../transport/wire-method.js';
import { collect, failure, Probe, probe, stream } from '../../contract/transport.js';
import { parse, settings } from './frames.js';

const codec = { encode: (message: unknown) => message as Buffer, decode: (bytes: Uint8Array) => bytes };
const wire = {
  method: { path: '/t/Echo' },
  contentType: 'application/grpc+raw',
  request: codec,
  reply: codec,
} as unknown as WireMethod;

const isUnavailable = (error: unknown) => error instanceof RpcError && error.code === Status.UNAVAILABLE;

/** A server that takes connections and says what the test wants. */
async function peer(onConnection: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const connectTo = (address: string, maxMessageBytes = 1_000, onReachable = (_: boolean) => {}) =>
  h2.connect({ address, tls: undefined, maxMessageBytes, compression: 'identity', onReachable });

describe('a client and its connection', { timeout: 30_000 }, () => {
  it('a request over the client’s limit fails once and before it is sent, connected or not yet', async () => {
    await using server = new Server({ logger: silentLogger, transport: 'h2', graceMs: 0 });
    server.registerService(
      Probe,
      probe({ aborted: [], onAbort() {}, produced: 0, consumed: 0, completed: 0, started: 0 }),
    );
    await server.serve();
    const connection = connectTo(server.address);
    for (let round = 0; round < 2; round++) {
      const outcomes: (RpcError | undefined)[] = [];
      const deadline = performance.now() + 50;
      let end = () => {};
      const ended = new Promise<void>((resolve) => (end = resolve));
      const call = { wire, metadata: undefined, wantsMetadata: false };
      connection.unary({
        ...call,
        deadline,
        request: Buffer.alloc(1_001),
        done: (error) => outcomes.push(error),
      });
      connection.unary({
        ...call,
        deadline: performance.now() + 5_000,
        request: Buffer.alloc(1_000),
        done: (error) => {
          assert.equal(error?.code, Status.UNIMPLEMENTED, 'the connection goes on');
          end();
        },
      });
      await ended;
      while (performance.now() < deadline + 20) await new Promise((resolve) => setTimeout(resolve, 5));
      assert.deepEqual(
        outcomes.map((error) => [error?.code, error?.maybeExecuted]),
        [[Status.RESOURCE_EXHAUSTED, false]],
      );
    }
    assert.equal(wheel.size, 0);
    await connection.close(0);
  });

  it('that is lost is told before the calls on it, so that nobody tries them there again', async () => {
    let asked = () => {};
    const request = new Promise<void>((resolve) => (asked = resolve));
    let lose = () => {};
    using going = await peer((socket) => {
      socket.write(settings());
      socket.on('data', (chunk: Buffer) => {
        if (parse(chunk).frames.some(({ type }) => type === 1)) asked();
      });
      lose = () => socket.destroy();
    });
    const told: string[] = [];
    const connection = connectTo(going.address, 1_000, (reachable) => told.push(`reachable: ${reachable}`));
    const done = new Promise<void>((resolve) => {
      connection.unary({
        wire,
        metadata: undefined,
        wantsMetadata: false,
        deadline: undefined,
        request: Buffer.from('hi'),
        done(error) {
          told.push(`call: ${error?.status}`);
          resolve();
        },
      });
    });
    await request;
    lose();
    await done;
    await connection.close(0);
    assert.deepEqual(told, ['reachable: false', 'call: UNAVAILABLE']);
  });

  it('calls that wait for a stream and are cancelled do not add up', async () => {
    using full = await peer((socket) => socket.once('data', () => socket.write(settings([3, 0]))));
    const connection = connectTo(full.address);
    const before = process.memoryUsage().heapUsed;
    let done = 0;
    for (let i = 0; i < 200_000; i++) {
      const call = connection.unary({
        wire,
        metadata: undefined,
        deadline: undefined,
        wantsMetadata: false,
        request: Buffer.alloc(0),
        done: () => done++,
      });
      call.cancel(new RpcError(Status.CANCELLED, 'enough'));
      if (i % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(done, 200_000);
    const grown = process.memoryUsage().heapUsed - before;
    assert.ok(grown < 64 * 1_048_576, `${grown} bytes more than before`);
    await connection.close(0);
  });

  it('calls wait while the server takes none, and go out when it does', async () => {
    let server: Socket | undefined;
    const opened: number[] = [];
    using slow = await peer((socket) => {
      server = socket;
      let bytes = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        opened.length = 0;
        for (const { type, id } of parse(bytes).frames) if (type === 1) opened.push(id);
      });
      socket.once('data', () => socket.write(settings([3, 0])));
    });
    await using client = new Client({
      logger: silentLogger,
      transport: 'h2',
      target: slow.address,
      graceMs: 0,
    });
    // The third ends first: the end of one that was sent would make room for it.
    const calls = [800, 800, 400].map((timeoutMs) =>
      failure(client.service(Probe).echo({ text: '' }, { timeoutMs })),
    );
    while (!server || server.bytesRead < PREFACE.length)
      await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(opened, []);
    server.write(settings([3, 2]));
    while (opened.length < 2) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(opened, [1, 3]);
    const errors = await Promise.all(calls);
    assert.deepEqual(
      errors.map(({ code, maybeExecuted }) => [code, maybeExecuted]),
      [
        [Status.DEADLINE_EXCEEDED, true],
        [Status.DEADLINE_EXCEEDED, true],
        [Status.DEADLINE_EXCEEDED, false],
      ],
    );
  });

  it('a stream that cannot even wait may be cancelled and left', async () => {
    using gone = await peer(() => {});
    gone[Symbol.dispose]();
    const connection = connectTo(gone.address);
    let ended = 0;
    const call = { wire, metadata: undefined, deadline: undefined, ended: () => ended++ };
    await assert.rejects(collect(connection.stream(call, stream([]))), isUnavailable);
    const second = connection.stream(call, stream([]));
    second.cancel(new RpcError(Status.CANCELLED, 'enough'));
    await assert.rejects(collect(second), isUnavailable);
    assert.equal(ended, 2);
    await connection.close(0);
  });

  it('a stream that is left before its connection stands is not sent', async () => {
    let bytes = Buffer.alloc(0);
    let hello = () => {};
    using slow = await peer((socket) => {
      socket.on('data', (chunk: Buffer) => (bytes = Buffer.concat([bytes, chunk])));
      hello = () => socket.write(settings());
    });
    const connection = connectTo(slow.address);
    const call = { wire, metadata: undefined, deadline: undefined, ended() {} };
    const replies = connection.stream(call, stream([]));
    await replies[Symbol.asyncIterator]().return?.();
    const other = connection.stream(call, stream([]));
    while (bytes.length < PREFACE.length) await new Promise((resolve) => setImmediate(resolve));
    hello();
    const headers = () => parse(bytes).frames.filter(({ type }) => type === 1);
    while (headers().length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(headers().length, 1);
    other.cancel(new RpcError(Status.CANCELLED, 'enough'));
    await connection.close(0);
  });
});
