import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RpcError, Status } from 'lictor';
import { ErrorCode } from '../../../transport/h2/protocol.js';
import type { WireMethod } from '../../../transport/wire-method.js';
import { collect } from '../../contract/transport.js';
import { collectGarbage } from '../../faults/heap.js';
import { clientSide, rawEcho } from './client-side.js';
import { turn } from './fake-socket.js';
import { data, frame, goAway, headers, message, ping, reset, settings, windowUpdate } from './frames.js';

const SETTINGS = settings();
const HEAD = [':status', '200', 'content-type', 'application/grpc+raw'];
const OK = ['grpc-status', '0'];
const head = (id: number, ...more: string[]) => headers(id, [...HEAD, ...more]);
const trailers = (id: number, fields = OK) => headers(id, fields, 5);
const reply = (id: number, text = 'hi') =>
  Buffer.concat([head(id), data(id, message(text), 0), trailers(id)]);
async function* requests(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text);
}

describe('answers to a client', () => {
  const answers: [name: string, code: Status, ...frames: Buffer[]][] = [
    ['trailers only', Status.NOT_FOUND, headers(1, [...HEAD, 'grpc-status', '5'], 5)],
    ['a status that does not exist', Status.UNKNOWN, headers(1, [...HEAD, 'grpc-status', '99'], 5)],
    ['no grpc-status', Status.UNKNOWN, head(1), headers(1, ['x', 'y'], 5)],
    ['no trailers', Status.INTERNAL, head(1), data(1, message('x'))],
    ['HTTP 503', Status.UNAVAILABLE, headers(1, [':status', '503'], 5)],
    [
      'HTTP 404 with a page',
      Status.UNIMPLEMENTED,
      headers(1, [':status', '404', 'content-type', 'text/html']),
    ],
    ['HTTP 200 with a page', Status.UNKNOWN, headers(1, [':status', '200', 'content-type', 'text/html'])],
    ['a reply without a header', Status.INTERNAL, data(1, message('x'))],
    ['two replies', Status.UNIMPLEMENTED, head(1), data(1, message('x'), 0), data(1, message('y'), 0)],
    ['OK without a reply', Status.UNIMPLEMENTED, head(1), trailers(1)],
    ['trailers inside a message', Status.INTERNAL, head(1), data(1, message('cut', 0, 9), 0), trailers(1)],
    ['an end inside a message', Status.INTERNAL, head(1), data(1, message('cut', 0, 9))],
    ['a second header', Status.INTERNAL, head(1), head(1)],
    ['a compressed reply without grpc-encoding', Status.INTERNAL, head(1), data(1, message('x', 1), 0)],
    [
      'a compressed reply in identity',
      Status.INTERNAL,
      head(1, 'grpc-encoding', 'identity'),
      data(1, message('x', 1), 0),
    ],
    [
      'more than its content-length',
      Status.INTERNAL,
      head(1, 'content-length', '5'),
      data(1, message('x'), 0),
    ],
    [
      'less than its content-length',
      Status.INTERNAL,
      head(1, 'content-length', '9'),
      data(1, message('x'), 0),
      trailers(1),
    ],
    ['a content-length that is none', Status.INTERNAL, head(1, 'content-length', '-1')],
    ['a reply over the limit', Status.RESOURCE_EXHAUSTED, head(1), data(1, message('', 0, 5_000_000), 0)],
    ['a reset', Status.CANCELLED, reset(1)],
    ['a refusal', Status.UNAVAILABLE, reset(1, ErrorCode.REFUSED_STREAM)],
    ['too much metadata', Status.RESOURCE_EXHAUSTED, head(1, ...Array(2_000).fill(['x', 'v']).flat())],
  ];
  for (const [name, code, ...frames] of answers) {
    it(name, async () => {
      const peer = clientSide();
      await peer.receive(SETTINGS);
      const { outcomes } = peer.call();
      await peer.receive(...frames);
      assert.deepEqual(
        outcomes.map(({ error }) => error?.code),
        [code],
      );
      const next = peer.call();
      await peer.receive(reply(3));
      assert.equal(String(next.outcomes[0]?.reply), 'hi', 'the connection goes on');
      assert.equal(peer.connection.openStreams, 0);
      assert.equal(peer.connection.budget.bytes, 0);
      peer.socket.destroy();
    });
  }

  it('F47: a late reply and a second one are dropped, and the connection goes on', async () => {
    const peer = clientSide();
    await peer.receive(SETTINGS);
    const cancelled = peer.call();
    cancelled.call.cancel(new RpcError(Status.CANCELLED, 'no more'));
    await peer.receive(reply(1, 'late'));
    const answered = peer.call();
    await peer.receive(reply(3, 'first'));
    await peer.receive(reset(3), windowUpdate(3, 1));
    const next = peer.call();
    await peer.receive(reply(5));
    assert.deepEqual(
      [...cancelled.outcomes, ...answered.outcomes, ...next.outcomes].map(
        ({ error, reply }) => error?.status ?? String(reply),
      ),
      ['CANCELLED', 'first', 'hi'],
    );
    assert.equal(peer.events.closed.length, 0);
  });

  it('F47: a reply for a call that was never made ends the connection', async () => {
    const peer = clientSide();
    await peer.receive(SETTINGS);
    const { outcomes } = peer.call();
    await peer.receive(reply(9));
    assert.deepEqual(
      outcomes.map(({ error }) => error?.status),
      ['UNAVAILABLE'],
    );
    assert.equal(peer.events.closed.length, 1);
  });

  it('F47: a connection whose numbers are used up makes way for another, and no number comes twice', async () => {
    const last = 2 ** 31 - 1;
    const peer = clientSide({ firstId: last - 2 });
    await peer.receive(SETTINGS);
    const calls = [peer.call(), peer.call()];
    assert.ok(!peer.connection.hasRoom);
    assert.equal(peer.events.leaving, 1);
    await peer.receive(reply(last, 'b'), reply(last - 2, 'a'));
    assert.deepEqual(
      calls.map(({ outcomes }) => String(outcomes[0]?.reply)),
      ['a', 'b'],
    );
  });

  it('a reply of its content-length is taken, and one of another length is reset', async () => {
    const peer = clientSide();
    await peer.receive(SETTINGS);
    const [good, bad] = [peer.call(), peer.call()];
    await peer.receive(head(1, 'content-length', '7'), data(1, message('hi'), 0), trailers(1));
    assert.equal(String(good.outcomes[0]?.reply), 'hi');
    await peer.receive(head(3, 'content-length', '6'), data(3, message('hi'), 0), trailers(3));
    assert.match(String(bad.outcomes[0]?.error?.message), /content-length/);
    const resets = peer.sent(3);
    assert.deepEqual(
      resets.map(({ id, payload }) => [id, payload.readUInt32BE(0)]),
      [[3, ErrorCode.PROTOCOL_ERROR]],
    );
    peer.socket.destroy();
  });

  it('1xx answers, padding, empty DATA and any split come before the reply', async () => {
    const bytes = message('in pieces');
    for (let at = 0; at <= bytes.length; at++) {
      const peer = clientSide();
      await peer.receive(SETTINGS);
      const { outcomes } = peer.call();
      await peer.receive(headers(1, [':status', '103']), head(1), data(1, Buffer.alloc(0), 0));
      const padded = Buffer.concat([Buffer.from([3]), bytes.subarray(0, at), Buffer.alloc(3)]);
      await peer.receive(data(1, padded, 8), data(1, bytes.subarray(at), 0), trailers(1));
      assert.equal(String(outcomes[0]?.reply), 'in pieces');
      peer.socket.destroy();
    }
  });

  it('an answer that comes before the requests have ended ends them', async () => {
    const peer = clientSide();
    await peer.receive(SETTINGS);
    async function* endless() {
      for (;;) yield Buffer.alloc(10_000);
    }
    const replies = collect(peer.stream(endless()));
    await peer.receive(Buffer.concat([head(1), trailers(1)]));
    assert.deepEqual(await replies, []);
    assert.equal(peer.connection.openStreams, 0);
    assert.equal(peer.sent(3).length, 1);
    peer.socket.destroy();
  });

  it('what breaks the connection fails its calls once, and says why', async () => {
    const bad: [code: number, frames: Buffer[]][] = [
      [ErrorCode.PROTOCOL_ERROR, [head(3)]],
      [ErrorCode.PROTOCOL_ERROR, [head(2)]],
      [ErrorCode.PROTOCOL_ERROR, [frame(5, 4, 1, Buffer.alloc(8))]],
      [ErrorCode.PROTOCOL_ERROR, [data(3, message('x'))]],
      [ErrorCode.COMPRESSION_ERROR, [frame(1, 4, 1, Buffer.from([0xff, 0xff]))]],
      [ErrorCode.FRAME_SIZE_ERROR, [frame(0, 0, 1, Buffer.alloc(16_385))]],
      [ErrorCode.ENHANCE_YOUR_CALM, Array(300).fill(ping())],
    ];
    for (const [code, frames] of bad) {
      const peer = clientSide();
      await peer.receive(SETTINGS);
      const { outcomes } = peer.call();
      await peer.receive(Buffer.concat(frames));
      assert.equal(peer.sent(7)[0]?.payload.readUInt32BE(4), code);
      assert.deepEqual(
        outcomes.map(({ error }) => error?.code),
        [Status.UNAVAILABLE],
      );
      assert.equal(outcomes[0]?.error?.maybeExecuted, true);
      assert.equal(peer.events.closed.length, 1);
    }
  });

  it('HTTP/1.1 and TLS from the server are told as such', async () => {
    for (const bytes of ['HTTP/1.1 400 Bad Request\r\n\r\n', '\x15\x03\x01\x00\x02\x02\x28garbage']) {
      const peer = clientSide();
      await peer.receive(Buffer.from(bytes, 'latin1'));
      assert.match(String(peer.events.closed[0]?.message), /does not speak HTTP\/2|SETTINGS/);
    }
  });
});

describe('calls and the limits of the server', () => {
  it('GOAWAY gives back the calls above its last stream as not executed, and lets the others end', async () => {
    const peer = clientSide();
    await peer.receive(SETTINGS);
    const calls = [1, 2, 3].map(() => peer.call());
    await peer.receive(goAway(2 ** 31 - 1));
    assert.equal(peer.connection.hasRoom, false);
    assert.deepEqual(
      calls.map(({ outcomes }) => outcomes.length),
      [0, 0, 0],
    );
    await peer.receive(goAway(3));
    assert.equal(calls[2]!.outcomes[0]?.error?.maybeExecuted, false);
    await peer.receive(reply(1), reply(3));
    assert.deepEqual(
      calls.map(({ outcomes }) => String(outcomes[0]?.reply)),
      ['hi', 'hi', 'undefined'],
    );
    assert.equal(peer.events.leaving, 1);
    assert.ok(peer.socket.writableEnded);
  });

  it('a GOAWAY or REFUSED_STREAM after a header cannot take back that the call may have run', async () => {
    for (const frames of [[goAway(0)], [frame(3, 0, 1, Buffer.from([0, 0, 0, ErrorCode.REFUSED_STREAM]))]]) {
      for (const [before, mayHaveRun] of [
        [[], false],
        [[head(1)], true],
      ] as const) {
        const peer = clientSide();
        await peer.receive(SETTINGS);
        const { outcomes } = peer.call();
        await peer.receive(...before, ...frames);
        assert.deepEqual(
          outcomes.map(({ error }) => [error?.code, error?.maybeExecuted]),
          [[Status.UNAVAILABLE, mayHaveRun]],
        );
      }
    }
  });

  it('a limit of streams that is lowered to 0 and raised', async () => {
    const peer = clientSide();
    await peer.receive(settings([3, 1]));
    assert.equal(peer.connection.hasRoom, true);
    peer.call();
    assert.equal(peer.connection.hasRoom, false);
    await peer.receive(settings([3, 0]), reply(1));
    assert.equal(peer.connection.hasRoom, false);
    const { room } = peer.events;
    await peer.receive(settings([3, 2]));
    assert.equal(peer.connection.hasRoom, true);
    assert.ok(peer.events.room > room);
    peer.socket.destroy();
  });

  it('a call cancelled while its request is blocked leaves nothing behind', async () => {
    const peer = clientSide();
    await peer.receive(settings([4, 10]));
    const { outcomes, call } = peer.call({ request: Buffer.alloc(100_000) });
    await turn();
    assert.ok(peer.connection.budget.bytes > 0);
    call.cancel(new RpcError(Status.CANCELLED, 'enough'));
    await peer.receive(windowUpdate(1, 1_000_000), reply(1));
    assert.equal(outcomes.length, 1);
    assert.equal(peer.connection.budget.bytes, 0);
    assert.equal(peer.connection.openStreams, 0);
    peer.socket.destroy();
  });

  it('requests that wait for a window go out in order when it opens, and end', async () => {
    const peer = clientSide();
    await peer.receive(settings([4, 0]));
    const replies = collect(peer.stream(requests('one', 'two', 'three')));
    await turn();
    assert.equal(peer.sent(0).length, 0);
    for (let i = 0; i < 40; i++) await peer.receive(windowUpdate(1, 1));
    const sent = Buffer.concat(peer.sent(0).map(({ payload }) => payload));
    assert.deepEqual(sent, Buffer.concat(['one', 'two', 'three'].map((one) => message(one))));
    assert.equal(peer.sent(0).at(-1)?.flags, 1);
    await peer.receive(reply(1));
    assert.deepEqual((await replies).map(String), ['hi']);
    peer.socket.destroy();
  });

  it('an idle connection does not keep its process alive, a call does', async () => {
    const peer = clientSide();
    await peer.receive(SETTINGS);
    assert.equal(peer.socket.isReferenced, false);
    peer.call();
    assert.equal(peer.socket.isReferenced, true);
    await peer.receive(reply(1));
    assert.equal(peer.socket.isReferenced, false);
    peer.socket.destroy();
  });

  it('F58: of methods that nobody has any more nothing is kept, however long the connection lasts', async () => {
    const peer = clientSide();
    await peer.receive(SETTINGS);
    const called: WeakRef<WireMethod>[] = [];
    // As many time-outs as have a block of their own, and one more.
    const call = (nth: number) => {
      const wire = { ...rawEcho };
      called.push(new WeakRef(wire));
      for (let i = 0; i < 6; i++)
        peer.call({ wire, deadline: performance.now() + (nth * 6 + i) * 10_000_000 });
    };
    for (let nth = 1; nth <= 5; nth++) call(nth);
    for (let id = 1; id < 60; id += 2) await peer.receive(reply(id));
    assert.equal(peer.connection.openStreams, 0);
    await turn();
    collectGarbage();
    assert.deepEqual(
      called.filter((wire) => wire.deref() !== undefined),
      [],
    );
    peer.socket.destroy();
  });
});
