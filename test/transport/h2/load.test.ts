import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Stream, connect, createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { Client, createNode, type Resolver, type RpcError, Server, Status, silentLogger } from 'lictor';
import { Probe, probe } from '../../contract/transport.js';
import { message } from './frames.js';

const nothingSeen = () => ({
  aborted: [] as string[],
  onAbort() {},
  produced: 0,
  consumed: 0,
  completed: 0,
  started: 0,
});
const quiet = { logger: silentLogger, transport: 'h2', graceMs: 0 } as const;

async function serve(options = {}, handlers = probe(nothingSeen())): Promise<Server> {
  const server = new Server({ ...quiet, ...options });
  server.registerService(Probe, handlers);
  await server.serve();
  return server;
}

describe('load', { timeout: 120_000 }, () => {
  it('1,000 streams at once on one connection', async () => {
    await using server = await serve();
    await using client = new Client({ ...quiet, target: server.address });
    const service = client.service(Probe);
    let open = 0;
    let release = () => {};
    const allOpen = new Promise<void>((resolve) => (release = resolve));
    async function* requests(k: number) {
      yield { n: k };
      if (++open === 1_000) release();
      await allOpen;
      yield { n: k + 1 };
    }
    const sums = await Promise.all(
      Array.from({ length: 1_000 }, async (_, k) => {
        const got: number[] = [];
        for await (const { n } of service.chat(requests(k))) got.push(n);
        return got;
      }),
    );
    assert.deepEqual(
      sums,
      sums.map((_, k) => [2 * k, 2 * k + 2]),
    );
  });

  it('100,000 calls on one connection, in which nothing adds up', async () => {
    await using server = await serve();
    await using client = new Client({ ...quiet, target: server.address });
    const service = client.service(Probe);
    let next = 0;
    const worker = async () => {
      while (next < 100_000) {
        const text = String(next++);
        assert.equal((await service.echo({ text })).text, text);
      }
    };
    await Promise.all(Array.from({ length: 100 }, worker));
  });

  it('messages of 4 MiB both ways at once, with small calls between them', async () => {
    await using server = await serve();
    await using client = new Client({ ...quiet, target: server.address });
    const service = client.service(Probe);
    const text = 'm'.repeat(4 * 1_048_576 - 64);
    let large = 8;
    const larges = Promise.all(
      Array.from({ length: large }, async () => {
        assert.equal((await service.echo({ text })).text.length, text.length);
        large--;
      }),
    );
    let between = 0;
    while (large > 0) {
      await service.echo({ text: 'small' });
      if (large > 0) between++;
    }
    await larges;
    assert.ok(between > 1, `${between} small calls came between the large ones`);
  });

  it('a server that leaves under load loses no call: the client goes on at the next', async () => {
    const servers = [await serve({ graceMs: 5_000 }), await serve({ graceMs: 5_000 })];
    const list = changingList(servers[0]!.address);
    await using client = new Client({ ...quiet, graceMs: 5_000, resolver: list.resolver });
    const service = client.service(Probe);
    let leaving = false;
    let calls = 0;
    const worker = async () => {
      while (calls < 30_000) {
        const text = String(calls++);
        assert.equal((await service.echo({ text })).text, text);
      }
    };
    const workers = Promise.all(Array.from({ length: 100 }, worker));
    const chat = (async () => {
      const got: number[] = [];
      async function* requests() {
        for (let n = 0; n < 50; n++) {
          yield { n };
          await new Promise((resolve) => setTimeout(resolve, 5));
          if (n === 10) leave();
        }
      }
      for await (const { n } of service.chat(requests())) got.push(n);
      return got;
    })();
    let left: Promise<void> | undefined;
    const leave = () => {
      if (leaving) return;
      leaving = true;
      list.change(servers[1]!.address);
      left = servers[0]!.close();
    };
    await workers;
    assert.equal((await chat).length, 50, 'a stream that was open when the server left');
    await left;
    assert.ok(leaving);
    await servers[1]!.close();
  });

  it('a server that restarts on its port, again and again, fails only what it may have run', async () => {
    let server = await serve({ graceMs: 2_000 });
    const { address } = server;
    await using client = new Client({ ...quiet, target: address });
    const service = client.service(Probe);
    const failures: RpcError[] = [];
    let running = true;
    const worker = async () => {
      while (running) {
        try {
          await service.echo({ text: 'x' });
        } catch (error) {
          failures.push(error as RpcError);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    };
    const workers = Promise.all(Array.from({ length: 20 }, worker));
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 20; i++) await service.echo({ text: 'warm' }).catch(() => {});
      await server.close();
      server = await serve({ address, graceMs: 2_000 });
    }
    running = false;
    await workers;
    await server.close();
    for (const { code, maybeExecuted, message } of failures) {
      assert.deepEqual([code, maybeExecuted], [Status.UNAVAILABLE, false], message);
    }
  });
});

describe('node:http2 at the other end', { timeout: 60_000 }, () => {
  const grpc = { ':method': 'POST', 'content-type': 'application/grpc+json', te: 'trailers' };

  it('as the client: 500 calls at once, pings and settings between them, and a graceful end', async () => {
    const server = await serve({ graceMs: 5_000 });
    const session = connect(`http://${server.address}`, { settings: { initialWindowSize: 100 } });
    const call = async (k: number) => {
      const stream: ClientHttp2Stream = session.request({ ...grpc, ':path': Probe.methods.echo.path });
      let trailers: Record<string, unknown> = {};
      stream.on('trailers', (t) => (trailers = t));
      stream.end(message(JSON.stringify({ text: 'y'.repeat(k) })));
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      assert.equal(trailers['grpc-status'], '0');
      assert.equal(Buffer.concat(chunks).length, k + 5 + '{"text":""}'.length);
    };
    const calls = Array.from({ length: 500 }, (_, k) => call(k * 10));
    await once(session, 'connect');
    for (let i = 0; i < 8; i++) {
      session.ping(() => {});
      session.settings({ initialWindowSize: 50 + i * 1_000 });
    }
    await Promise.all(calls);
    let goAways = 0;
    session.on('goaway', () => goAways++);
    const closed = once(session, 'close');
    const last = call(40);
    await Promise.all([server.close(), closed, last]);
    assert.ok(goAways > 0);
  });

  it('as the client: cancelled streams reach their handlers', async () => {
    const seen = nothingSeen();
    await using server = await serve({}, probe(seen));
    const session = connect(`http://${server.address}`);
    const aborted = new Promise<void>((resolve) => (seen.onAbort = resolve));
    const stream = session.request({ ...grpc, ':path': Probe.methods.hang.path });
    stream.on('error', () => {});
    stream.end(message('{"text":""}'));
    const other = session.request({ ...grpc, ':path': Probe.methods.echo.path });
    other.end(message('{"text":"the stream above is on its way"}'));
    for await (const _ of other);
    stream.close(8);
    await aborted;
    session.destroy();
  });

  it('as the server: few streams at a time, small windows, GOAWAY at the end', async () => {
    const server = createServer({ settings: { maxConcurrentStreams: 3, initialWindowSize: 1_000 } });
    let most = 0;
    let open = 0;
    server.on('session', (session) => session.on('error', () => {}));
    server.on('stream', (stream: ServerHttp2Stream) => {
      most = Math.max(most, ++open);
      stream.on('close', () => open--);
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc+json' },
          { waitForTrailers: true },
        );
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(Buffer.concat(chunks));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await using client = new Client({ ...quiet, target: `127.0.0.1:${port}` });
    const service = client.service(Probe);
    const sizes = Array.from({ length: 100 }, (_, k) => k * 100);
    const replies = await Promise.all(sizes.map((size) => service.echo({ text: 'z'.repeat(size) })));
    assert.deepEqual(
      replies.map(({ text }) => text.length),
      sizes,
    );
    assert.ok(most <= 3, `${most} were open at once`);
    server.close();
  });
});

/** A resolver of one node, which the test changes. */
function changingList(first: string): { resolver: Resolver; change(address: string): void } {
  let address = first;
  let changed = () => {};
  return {
    change(next) {
      address = next;
      changed();
    },
    resolver: {
      describe: () => 'a list that changes',
      async *watch(_, signal) {
        while (!signal.aborted) {
          yield { kind: 'nodes', nodes: [createNode({ address })] };
          await new Promise<void>((resolve) => {
            changed = resolve;
            signal.addEventListener('abort', () => resolve(), { once: true });
          });
        }
      },
    },
  };
}
