import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { RpcError, Status } from 'lictor';
import { Budget } from '../../../transport/h2/budget.js';
import { collect } from '../../contract/transport.js';
import { clientSide } from './client-side.js';
import { turn } from './fake-socket.js';
import { call, data, headers, message, request, reset, settings } from './frames.js';
import { type ServerSide, serverSide } from './server-side.js';

const MIB = 1_048_576;
const GZIP = ['grpc-encoding', 'gzip'];
const bomb = message(gzipSync(Buffer.alloc(MIB), { level: 9 }), 1);
/** As many empty messages as a frame holds, and what they count. */
const EMPTY = Buffer.alloc(16_380);
const EMPTY_COST = (EMPTY.length / 5) * 128;
const status = (fields: string[]) => fields[fields.lastIndexOf('grpc-status') + 1];
const inMemory = () => process.memoryUsage().arrayBuffers;

/** A stream whose handler does not read, and what it has sent. */
async function unreadStream(side: ServerSide, id: number, ...messages: Buffer[]): Promise<void> {
  await side.receive(request(id, '/t/Slow', ...GZIP), ...messages.map((one) => data(id, one, 0)));
}

describe('requests that are not read', () => {
  it('stay compressed', async () => {
    const side = serverSide();
    await side.receive(settings());
    const before = inMemory();
    await unreadStream(side, 1, ...Array<Buffer>(100).fill(bomb));
    assert.ok(inMemory() - before < 10 * MIB, `${inMemory() - before} bytes for ${bomb.length * 100}`);
    assert.ok(side.budget.bytes >= 100 * bomb.length);
    side.socket.destroy();
  });

  it('of a unary call stay compressed until its end, and are counted', async () => {
    const side = serverSide();
    await side.receive(settings());
    const before = inMemory();
    for (let id = 1; id < 200; id += 2)
      await side.receive(request(id, '/t/Hang', ...GZIP), data(id, bomb, 0));
    assert.ok(inMemory() - before < 10 * MIB, `${inMemory() - before} bytes for ${bomb.length * 100}`);
    assert.ok(side.budget.bytes >= 100 * bomb.length);
    await side.receive(data(1, Buffer.alloc(0)));
    assert.equal(side.handled.unary.length, 1);
    assert.equal(side.handled.unary[0]?.request.length, MIB);
    assert.equal(side.handled.unary[0]?.call.requestCompressed, true);
    for (let id = 3; id < 200; id += 2) await side.receive(reset(id));
    assert.equal(side.budget.bytes, 0);
    side.socket.destroy();
  });

  it('of unary calls that do not end are refused over the budget, and the others answered', async () => {
    const budget = new Budget(10, 50_000);
    const side = serverSide({ budget });
    await side.receive(settings());
    for (const id of [1, 3, 5, 7])
      await side.receive(request(id), data(id, message(Buffer.alloc(15_000)), 0));
    assert.deepEqual(
      [1, 3, 5, 7].map((id) => status(side.answer(id).fields)),
      [undefined, undefined, undefined, '8'],
    );
    await side.receive(call(9), data(1, Buffer.alloc(0)));
    assert.deepEqual(
      [1, 9].map((id) => status(side.answer(id).fields)),
      ['0', '0'],
    );
    side.socket.destroy();
    await turn();
    assert.equal(budget.bytes, 0);
  });

  it('are inflated when they are read, each as it came', async () => {
    const side = serverSide();
    await side.receive(
      settings(),
      request(1, '/t/Chat', ...GZIP),
      data(1, Buffer.concat([message(gzipSync('a'), 1), message('b'), message(gzipSync('c'), 1)])),
    );
    assert.deepEqual(side.handled.requests.map(String), ['a', 'b', 'c']);
    assert.equal(side.budget.bytes, 0);
    side.socket.destroy();
  });

  it('fail the one who reads them when they inflate to more than the limit', async () => {
    const side = serverSide({ maxMessageBytes: MIB - 1 });
    await side.receive(
      settings(),
      request(1, '/t/Chat', ...GZIP),
      data(1, Buffer.concat([message('fits'), bomb]), 0),
    );
    assert.deepEqual(side.handled.requests.map(String), ['fits']);
    assert.match(String(side.handled.failures), /RESOURCE_EXHAUSTED.*inflates to more than 1048575/);
    assert.equal(side.budget.bytes, 0);
    side.socket.destroy();
  });

  it('end their stream over the budget, and neither its neighbours nor its connection', async () => {
    const budget = new Budget(10, EMPTY_COST * 2.5);
    const side = serverSide({ budget });
    await side.receive(settings());
    await unreadStream(side, 1, EMPTY);
    await unreadStream(side, 3, EMPTY, EMPTY);
    assert.equal(status(side.answer(1).fields), undefined);
    assert.equal(status(side.answer(3).fields), String(Status.RESOURCE_EXHAUSTED));
    assert.equal(budget.bytes, EMPTY_COST);
    await side.receive(call(5), request(7, '/t/Chat'), data(7, message('hi')));
    assert.equal(status(side.answer(5).fields), '0');
    assert.equal(status(side.answer(7).fields), '0');
    assert.equal(side.error, undefined);
    side.socket.destroy();
    await turn();
    assert.equal(budget.bytes, 0);
  });

  it('of one connection leave room for those of others', async () => {
    const budget = new Budget(10_000, 256 * MIB);
    const [hoarder, other] = [serverSide({ budget }), serverSide({ budget })];
    await hoarder.receive(settings());
    let id = 1;
    for (; status(hoarder.answer(id).fields) === undefined && id < 200; id += 2) {
      await unreadStream(hoarder, id, ...Array<Buffer>(16).fill(EMPTY));
      if (status(hoarder.answer(id).fields) !== undefined) break;
    }
    assert.equal(status(hoarder.answer(id).fields), String(Status.RESOURCE_EXHAUSTED));
    assert.ok(budget.bytes <= 128 * MIB);
    await other.receive(settings());
    await unreadStream(other, 1, ...Array<Buffer>(16).fill(EMPTY));
    assert.equal(status(other.answer(1).fields), undefined);
    for (const { socket } of [hoarder, other]) socket.destroy();
    await turn();
    assert.equal(budget.bytes, 0);
  });

  const endings: Record<string, (side: ServerSide) => Promise<void>> = {
    'is reset': (side) => side.receive(reset(1)),
    'breaks off': (side) => side.receive(data(1, Buffer.of(2, 0, 0, 0, 0), 0)),
    'loses its connection': async ({ socket }) => {
      socket.destroy();
      await turn();
    },
    'is closed by the server': async ({ connection }) => connection.cutOff(),
  };
  for (const [name, end] of Object.entries(endings)) {
    it(`are counted no longer when their stream ${name}`, async () => {
      const side = serverSide();
      await side.receive(settings());
      await unreadStream(side, 1, bomb, EMPTY);
      await side.receive(request(3), data(3, message('held'), 0));
      assert.ok(side.budget.bytes > EMPTY_COST);
      await end(side);
      await side.receive(reset(3));
      assert.equal(side.budget.bytes, 0);
      side.socket.destroy();
    });
  }
});

describe('replies that are not read', () => {
  const head = (id: number) =>
    headers(id, [':status', '200', 'content-type', 'application/grpc+raw', ...GZIP]);
  const ok = (id: number) => headers(id, ['grpc-status', '0'], 5);
  const open = async () => {
    const peer = clientSide();
    await peer.receive(settings());
    const replies = peer.stream((async function* () {})());
    await turn();
    const { budget } = peer.connection;
    return { peer, replies, budget };
  };

  it('stay compressed, and are counted until they are read', async () => {
    const { peer, replies, budget } = await open();
    const before = inMemory();
    await peer.receive(head(1), ...Array<Buffer>(100).fill(data(1, bomb, 0)));
    assert.ok(inMemory() - before < 10 * MIB, `${inMemory() - before} bytes for ${bomb.length * 100}`);
    assert.ok(budget.bytes >= 100 * bomb.length);
    const iterator = replies[Symbol.asyncIterator]();
    for (let i = 0; i < 100; i++) assert.equal(((await iterator.next()).value as Buffer).length, MIB);
    assert.equal(budget.bytes, 0);
    peer.socket.destroy();
  });

  it('of a unary call are inflated at its end', async () => {
    const peer = clientSide();
    await peer.receive(settings());
    const { outcomes } = peer.call();
    const before = inMemory();
    await peer.receive(head(1), data(1, bomb, 0));
    assert.ok(inMemory() - before < MIB / 2);
    await peer.receive(ok(1));
    assert.equal(outcomes[0]?.reply?.length, MIB);
    peer.socket.destroy();
  });

  it('over the limit of a connection end their stream, and not its neighbour', async () => {
    const { peer, replies, budget } = await open();
    const streams = [replies];
    for (let i = 0; i < 30; i++) streams.push(peer.stream((async function* () {})()));
    const failed = new Set<number>();
    for (const [i] of streams.entries()) {
      const id = 1 + 2 * i;
      await peer.receive(head(id), ...Array<Buffer>(16).fill(data(id, EMPTY, 0)));
      if (peer.sent(3).some((one) => one.id === id)) failed.add(i);
    }
    assert.ok(failed.size > 0 && failed.size < 30, `${failed.size} streams were ended`);
    assert.ok(budget.bytes <= 128 * MIB);
    for (const i of failed) {
      await assert.rejects(collect(streams[i]!), { code: Status.RESOURCE_EXHAUSTED });
    }
    const { outcomes } = peer.call();
    await peer.receive(head(63), data(63, message('hi'), 0), ok(63));
    assert.equal(String(outcomes[0]?.reply), 'hi');
    peer.socket.destroy();
    await turn();
    assert.equal(budget.bytes, 0);
  });

  const endings: Record<string, (opened: Awaited<ReturnType<typeof open>>) => unknown> = {
    'its reader leaves': ({ replies }) => replies[Symbol.asyncIterator]().return?.(),
    'it is cancelled': ({ replies }) => replies.cancel(new RpcError(Status.CANCELLED, 'enough')),
    'it is reset': ({ peer }) => peer.receive(reset(1)),
    'its connection is lost': ({ peer }) => peer.socket.destroy(),
    'a reply cannot be read': async ({ replies }) => {
      const iterator = replies[Symbol.asyncIterator]();
      await iterator.next();
      await assert.rejects(iterator.next(), { code: Status.INTERNAL });
    },
    'it has ended': async ({ peer, replies }) => {
      await peer.receive(ok(1));
      assert.equal(peer.connection.budget.bytes, 0);
      const iterator = replies[Symbol.asyncIterator]();
      assert.equal(((await iterator.next()).value as Buffer).length, MIB);
    },
  };
  for (const [name, end] of Object.entries(endings)) {
    it(`are counted no longer when ${name}`, async () => {
      const opened = await open();
      const { peer, budget } = opened;
      await peer.receive(head(1), data(1, bomb, 0), data(1, message('no gzip', 1), 0), data(1, EMPTY, 0));
      assert.ok(budget.bytes > EMPTY_COST);
      await end(opened);
      await turn();
      assert.equal(budget.bytes, 0);
      peer.socket.destroy();
    });
  }
});
