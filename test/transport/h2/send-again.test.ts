import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { Client, Server, Status, silentLogger } from 'lictor';
import { ErrorCode } from '../../../transport/h2/protocol.js';
import { collect, failure, Probe, probe, stream } from '../../contract/transport.js';
import { deferred } from '../../deferred.js';
import { data, goAway, headers, parse, reset, settings } from './frames.js';

type Asked = { id: number; socket: Socket; request: Buffer };

/** Tells the test of each request, with its body when it has ended; `answer` sends the body back. */
async function serving(
  onRequest: (asked: Asked, count: number) => void,
  on: 'header' | 'end' = 'end',
  speaking = Number.POSITIVE_INFINITY, // Connections; further ones are taken, and hear nothing.
) {
  const sockets: Socket[] = [];
  let count = 0;
  const server = createServer((socket) => {
    sockets.push(socket);
    let rest = Buffer.alloc(0);
    const bodies = new Map<number, Buffer>();
    socket.on('error', () => {});
    if (sockets.length <= speaking) socket.write(settings());
    socket.on('data', (chunk: Buffer) => {
      const read = parse(Buffer.concat([rest, chunk]));
      rest = Buffer.from(read.rest);
      for (const { type, flags, id, payload } of read.frames) {
        if (type === 1 && on === 'header') onRequest({ id, socket, request: payload }, ++count);
        if (type !== 0) continue;
        const body = Buffer.concat([bodies.get(id) ?? Buffer.alloc(0), payload]);
        bodies.set(id, body);
        if (flags & 1 && on === 'end') onRequest({ id, socket, request: body }, ++count);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new Client({ logger: silentLogger, graceMs: 0, transport: 'h2', target: address });
  return {
    api: client.service(Probe),
    sockets,
    async [Symbol.asyncDispose]() {
      await client.close();
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const answer = ({ id, socket, request }: Asked) =>
  socket.write(
    Buffer.concat([
      headers(id, [':status', '200', 'content-type', 'application/grpc+json']),
      data(id, request, 0),
      headers(id, ['grpc-status', '0'], 5),
    ]),
  );
const refuse = ({ id, socket }: Asked) => socket.write(reset(id, ErrorCode.REFUSED_STREAM));
const leave = ({ id, socket }: Asked) => socket.end(goAway(Math.max(0, id - 2)));

describe('a call at which the server has not looked', { timeout: 20_000 }, () => {
  for (const [name, turnAway] of [
    ['refused', refuse],
    ['on a connection that is left by one GOAWAY', leave],
  ] as const) {
    it(`is sent again when it was ${name}`, async () => {
      await using it = await serving((asked, count) => (count <= 3 ? turnAway(asked) : answer(asked)));
      assert.deepEqual(await it.api.echo({ text: 'unary' }), { text: 'unary' });
    });

    it(`and its single request too, of a stream ${name}`, async () => {
      await using it = await serving((asked, count) => (count <= 3 ? turnAway(asked) : answer(asked)));
      assert.deepEqual(await collect(it.api.count({ n: 7 })), [{ n: 7 }]);
    });

    it(`and requests that come only then, of a stream ${name}`, async () => {
      const again = deferred();
      let first: Asked | undefined;
      await using it = await serving((asked, count) => {
        if (count === 1) return void turnAway(asked);
        first ??= asked;
        again.resolve();
        answer({ ...asked, request: Buffer.alloc(0) });
      }, 'header');
      let returned = 0;
      async function* late() {
        try {
          await again.promise;
          yield { n: 1 };
        } finally {
          returned++;
        }
      }
      assert.deepEqual(await collect(it.api.chat(late())), []);
      assert.ok(first);
      while (returned === 0) await new Promise((resolve) => setImmediate(resolve));
    });
  }

  it('is not sent again for ever', async () => {
    let asked = 0;
    await using it = await serving((one) => {
      asked++;
      refuse(one);
    });
    for (const call of [() => it.api.echo({ text: 'x' }), () => collect(it.api.count({ n: 1 }))]) {
      const error = await failure(call());
      assert.equal(error.code, Status.UNAVAILABLE);
      assert.equal(error.maybeExecuted, false);
    }
    assert.equal(asked, 12, 'each of the two at first and five times more');
  });

  it('and of whose requests several are gone is not sent again', async () => {
    const two = deferred<Asked>();
    let read = 0;
    await using it = await serving((asked) => two.resolve(asked), 'header');
    async function* many() {
      for (; ; read++) {
        if (read === 3) await new Promise((resolve) => setImmediate(resolve));
        if (read === 4) refuse(await two.promise);
        yield { n: read };
      }
    }
    const error = await failure(collect(it.api.chat(many())));
    assert.equal(error.code, Status.UNAVAILABLE);
  });

  it('keeps its deadline while it waits to be sent again', async () => {
    await using it = await serving(leave, 'end', 1);
    const error = await failure(it.api.echo({ text: 'x' }, { timeoutMs: 100 }));
    assert.equal(error.code, Status.DEADLINE_EXCEEDED);
  });

  it('can be cancelled after it was sent again, and its requests are told', async () => {
    for (const kind of ['unary', 'stream']) {
      const again = deferred();
      await using it = await serving((asked, count) => {
        if (count === 1) refuse(asked);
        else again.resolve();
      }, 'header');
      let returned = 0;
      const never: AsyncIterableIterator<{ n: number }> = {
        next: () => new Promise(() => {}),
        async return() {
          returned++;
          return { done: true, value: undefined };
        },
        [Symbol.asyncIterator]: () => never,
      };
      const controller = new AbortController();
      const { signal } = controller;
      const call =
        kind === 'unary' ? it.api.echo({ text: 'x' }, { signal }) : collect(it.api.chat(never, { signal }));
      const failed = failure(call);
      await again.promise;
      assert.equal(returned, 0);
      controller.abort();
      assert.equal((await failed).code, Status.CANCELLED);
      assert.equal(returned, kind === 'unary' ? 0 : 1);
    }
  });

  it('takes the place of one that was cancelled, at the server’s cap', async () => {
    const seen = { aborted: [], onAbort() {}, produced: 0, consumed: 0, completed: 0, started: 0 };
    await using server = new Server({
      logger: silentLogger,
      graceMs: 0,
      transport: 'h2',
      maxStreamsPerConnection: 10,
    });
    server.registerService(Probe, probe(seen));
    await server.serve();
    await using client = new Client({
      logger: silentLogger,
      graceMs: 0,
      transport: 'h2',
      target: server.address,
    });
    const api = client.service(Probe);
    await api.echo({ text: 'connected' });
    for (let round = 0; round < 20; round++) {
      const controller = new AbortController();
      const { signal } = controller;
      const hanging = Array.from({ length: 10 }, () => failure(api.hang({ text: '' }, { signal })));
      await new Promise((resolve) => setImmediate(resolve));
      controller.abort();
      await Promise.all(Array.from({ length: 10 }, (_, i) => api.echo({ text: `${i}` })));
      await Promise.all(hanging);
      assert.deepEqual(await collect(api.chat(stream([{ n: 1 }]))), [{ n: 2 }]);
    }
  });
});

describe('F31: a unary answer that is broken off', { timeout: 20_000 }, () => {
  const begin = ({ id, socket, request }: Asked) => {
    socket.write(headers(id, [':status', '200', 'content-type', 'application/grpc+json']));
    socket.end(data(id, request.subarray(0, -1), 0));
  };

  it('is asked for again when the method is idempotent', async () => {
    let asked = 0;
    await using it = await serving((call, count) => {
      asked = count;
      if (count < 3) begin(call);
      else answer(call);
    });
    assert.deepEqual(await it.api.echo({ text: 'whole' }, { idempotent: true }), { text: 'whole' });
    assert.equal(asked, 3);
  });

  it('is not asked for again when it is not', async () => {
    let asked = 0;
    await using it = await serving((call, count) => {
      asked = count;
      begin(call);
    });
    const error = await failure(it.api.echo({ text: 'once' }));
    assert.equal(error.code, Status.UNAVAILABLE);
    assert.equal(error.maybeExecuted, true);
    assert.equal(asked, 1);
  });
});
