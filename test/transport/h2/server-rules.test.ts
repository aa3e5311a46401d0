import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Status } from 'lictor';
import { Budget } from '../../../transport/h2/budget.js';
import { ErrorCode } from '../../../transport/h2/protocol.js';
import { turn } from './fake-socket.js';
import {
  call,
  data,
  frame,
  goAway,
  headers,
  message,
  ping,
  request,
  requestFields,
  reset,
  settings,
  settingsAck,
  uint32,
  windowUpdate,
} from './frames.js';
import { serverSide } from './server-side.js';

const { PROTOCOL_ERROR, FRAME_SIZE_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, ENHANCE_YOUR_CALM } = ErrorCode;
const nothing = Buffer.alloc(0);
const SETTINGS = Buffer.concat([settings(), settingsAck]);
const status = (fields: string[]) => fields[fields.lastIndexOf('grpc-status') + 1];

describe('frames that end the connection', () => {
  const cases: [name: string, code: number, ...frames: Buffer[]][] = [
    ['anything before SETTINGS', PROTOCOL_ERROR, ping()],
    ['an acknowledgement before SETTINGS', PROTOCOL_ERROR, frame(4, 1, 0)],
    ['SETTINGS on a stream', PROTOCOL_ERROR, SETTINGS, frame(4, 0, 1)],
    ['SETTINGS of five bytes', FRAME_SIZE_ERROR, SETTINGS, frame(4, 0, 0, Buffer.alloc(5))],
    ['SETTINGS acknowledgement with bytes', FRAME_SIZE_ERROR, SETTINGS, frame(4, 1, 0, Buffer.alloc(6))],
    ['an initial window of 2^31', FLOW_CONTROL_ERROR, SETTINGS, settings([4, 2 ** 31])],
    ['a MAX_FRAME_SIZE of 16,383', PROTOCOL_ERROR, SETTINGS, settings([5, 16_383])],
    ['a MAX_FRAME_SIZE of 2^24', PROTOCOL_ERROR, SETTINGS, settings([5, 2 ** 24])],
    ['an ENABLE_PUSH of 2', PROTOCOL_ERROR, SETTINGS, settings([2, 2])],
    [
      'more settings than there are',
      ENHANCE_YOUR_CALM,
      SETTINGS,
      settings(...Array.from({ length: 33 }, (): [number, number] => [4, 100])),
    ],
    ['PING of seven bytes', FRAME_SIZE_ERROR, SETTINGS, frame(6, 0, 0, Buffer.alloc(7))],
    ['PING on a stream', PROTOCOL_ERROR, SETTINGS, frame(6, 0, 1, Buffer.alloc(8))],
    ['GOAWAY on a stream', PROTOCOL_ERROR, SETTINGS, frame(7, 0, 1, Buffer.alloc(8))],
    ['GOAWAY of seven bytes', FRAME_SIZE_ERROR, SETTINGS, frame(7, 0, 0, Buffer.alloc(7))],
    ['PUSH_PROMISE', PROTOCOL_ERROR, SETTINGS, frame(5, 4, 1, Buffer.alloc(8))],
    ['PRIORITY on stream 0', PROTOCOL_ERROR, SETTINGS, frame(2, 0, 0, Buffer.alloc(5))],
    ['PRIORITY of four bytes', FRAME_SIZE_ERROR, SETTINGS, frame(2, 0, 1, Buffer.alloc(4))],
    ['WINDOW_UPDATE of three bytes', FRAME_SIZE_ERROR, SETTINGS, frame(8, 0, 0, Buffer.alloc(3))],
    ['WINDOW_UPDATE of 0', PROTOCOL_ERROR, SETTINGS, windowUpdate(0, 0)],
    ['WINDOW_UPDATE of 0 on a stream', PROTOCOL_ERROR, SETTINGS, request(1), windowUpdate(1, 0)],
    ['WINDOW_UPDATE on an idle stream', PROTOCOL_ERROR, SETTINGS, windowUpdate(1, 1)],
    [
      'a window of the connection over 2^31-1',
      FLOW_CONTROL_ERROR,
      SETTINGS,
      windowUpdate(0, 2 ** 31 - 1),
      windowUpdate(0, 1),
    ],
    [
      'a window of a stream over 2^31-1',
      FLOW_CONTROL_ERROR,
      SETTINGS,
      request(1),
      windowUpdate(1, 2 ** 31 - 1),
    ],
    ['RST_STREAM of five bytes', FRAME_SIZE_ERROR, SETTINGS, request(1), frame(3, 0, 1, Buffer.alloc(5))],
    ['RST_STREAM on stream 0', PROTOCOL_ERROR, SETTINGS, reset(0)],
    ['RST_STREAM on an idle stream', PROTOCOL_ERROR, SETTINGS, reset(1)],
    ['DATA on stream 0', PROTOCOL_ERROR, SETTINGS, data(0, nothing)],
    ['DATA on an idle stream', PROTOCOL_ERROR, SETTINGS, data(1, nothing)],
    ['DATA padded beyond its end', PROTOCOL_ERROR, SETTINGS, request(1), data(1, Buffer.from([2, 0]), 8)],
    ['DATA padded without a length', FRAME_SIZE_ERROR, SETTINGS, request(1), data(1, nothing, 8)],
    ['HEADERS on stream 0', PROTOCOL_ERROR, SETTINGS, request(0)],
    ['HEADERS on an even stream', PROTOCOL_ERROR, SETTINGS, request(2)],
    ['HEADERS on an older stream', PROTOCOL_ERROR, SETTINGS, call(5), request(3)],
    ['HEADERS padded beyond their end', PROTOCOL_ERROR, SETTINGS, frame(1, 0xc, 1, Buffer.from([9, 1]))],
    ['HEADERS too short for their priority', FRAME_SIZE_ERROR, SETTINGS, frame(1, 0x24, 1, Buffer.alloc(4))],
    [
      'a block of headers that HPACK cannot read',
      ErrorCode.COMPRESSION_ERROR,
      SETTINGS,
      frame(1, 4, 1, Buffer.from([0xff, 0xff])),
    ],
    ['CONTINUATION without HEADERS', PROTOCOL_ERROR, SETTINGS, frame(9, 4, 1)],
    [
      'a frame inside a block of headers',
      PROTOCOL_ERROR,
      SETTINGS,
      headers(1, requestFields('/'), 0),
      ping(),
    ],
    [
      'CONTINUATION of another stream',
      PROTOCOL_ERROR,
      SETTINGS,
      headers(1, requestFields('/'), 0),
      frame(9, 4, 3),
    ],
    ['a frame over 16 KiB', FRAME_SIZE_ERROR, SETTINGS, frame(0, 0, 1, Buffer.alloc(16_385))],
  ];
  for (const [name, code, ...frames] of cases) {
    it(name, async () => {
      const peer = serverSide();
      await peer.receive(...frames);
      assert.equal(peer.error, code);
      assert.ok(peer.connection.isClosed);
      assert.equal(peer.budget.streams, 0);
    });
  }
});

describe('frames that are let pass', () => {
  const cases: [name: string, ...frames: Buffer[]][] = [
    ['unknown types', frame(0xbe, 0xff, 7, Buffer.alloc(20))],
    ['unknown settings', settings([0x0a0a, 7])],
    ['flags that mean nothing', frame(6, 0xfe, 0, Buffer.alloc(8))],
    ['the reserved bit of a stream’s number', frame(6, 0, 2 ** 31, Buffer.alloc(8))],
    ['PRIORITY of an idle stream', frame(2, 0, 9, Buffer.alloc(5))],
    ['GOAWAY of a client', goAway(0)],
    ['WINDOW_UPDATE on a closed stream', call(1), windowUpdate(1, 5)],
    ['RST_STREAM on a closed stream', call(1), reset(1)],
    ['DATA on a stream that the server has ended', request(1, '/t/None'), data(1, message('x'))],
    [
      'an empty block of CONTINUATION',
      headers(1, requestFields('/t/Echo'), 0),
      frame(9, 4, 1),
      data(1, message('x')),
    ],
  ];
  for (const [name, ...frames] of cases) {
    it(name, async () => {
      const peer = serverSide();
      await peer.receive(SETTINGS, ...frames, call(11));
      assert.equal(peer.error, undefined);
      assert.equal(status(peer.answer(11).fields), '0');
    });
  }
});

describe('frames that end their stream', () => {
  it('DATA and HEADERS after END_STREAM are STREAM_CLOSED, and the request is handled once', async () => {
    for (const more of [
      data(1, nothing, 0),
      data(1, message('again')),
      headers(1, ['x', 'y'], 5),
      request(1),
    ]) {
      const peer = serverSide();
      await peer.receive(SETTINGS, call(1, 'once', '/t/Hang'), more);
      assert.equal(peer.handled.unary.length, 1);
      assert.equal(peer.handled.cancelled.length, 1);
      assert.equal(peer.answer(1).reset, STREAM_CLOSED);
      assert.equal(peer.error, undefined);
    }
  });

  it('a request whose trailers come inside a message is not complete', async () => {
    for (const path of ['/t/Hang', '/t/Chat']) {
      const peer = serverSide();
      await peer.receive(SETTINGS, request(1, path), data(1, message('cut off').subarray(0, 8), 0));
      await peer.receive(headers(1, ['x', 'y'], 5));
      assert.equal(status(peer.answer(1).fields), String(Status.INTERNAL));
      assert.equal(peer.handled.unary.length + peer.handled.ended, 0);
      assert.equal(peer.budget.bytes, 0);
    }
  });

  const malformed: [name: string, fields: string[]][] = [
    ['no path', [':method', 'POST', ':scheme', 'http']],
    ['two paths', [':path', '/t/Echo', ...requestFields('/t/Echo')]],
    ['a pseudo-header that does not exist', [':status', '200', ...requestFields('/t/Echo')]],
    ['a pseudo-header behind others', [...requestFields('/t/Echo'), ':scheme', 'http']],
    ['a name in upper case', requestFields('/t/Echo', 'X-a', 'b')],
    ['a name with a space', requestFields('/t/Echo', 'x a', 'b')],
    ['a name that is empty', requestFields('/t/Echo', '', 'b')],
    ['a line break in a value', requestFields('/t/Echo', 'x-a', 'b\r\nc: d')],
    ['a NUL in a value', requestFields('/t/Echo', 'x-a', 'b\0')],
    ['connection', requestFields('/t/Echo', 'connection', 'close')],
    ['te that is not trailers', requestFields('/t/Echo', 'te', 'gzip')],
    ['a grpc-timeout that is none', requestFields('/t/Echo', 'grpc-timeout', '1x')],
    ['a content-length that is none', requestFields('/t/Echo', 'content-length', '7x')],
    ['two lengths', requestFields('/t/Echo', 'content-length', '7', 'content-length', '8')],
  ];
  for (const [name, fields] of malformed) {
    it(`a request with ${name} is malformed`, async () => {
      const peer = serverSide();
      await peer.receive(SETTINGS, headers(1, fields), call(3));
      assert.equal(peer.answer(1).reset, PROTOCOL_ERROR);
      assert.equal(status(peer.answer(3).fields), '0');
      assert.equal(peer.handled.unary.length, 1);
    });
  }

  describe('content-length (8.1.1)', () => {
    const body = message('hi');
    const asJson = (fields: string[]) =>
      fields.map((one) => (one === 'application/grpc+raw' ? 'application/json' : one));
    const sent = (fields: string[], length: number, ...rest: Buffer[]) =>
      Buffer.concat([headers(1, [...fields, 'content-length', String(length)]), ...rest]);
    const chat = requestFields('/t/Chat');
    const unary = requestFields('/t/Echo');
    const wrong: [name: string, bytes: Buffer][] = [
      ['DATA beyond it', sent(unary, body.length - 1, data(1, body, 0))],
      ['an end before it', sent(unary, body.length + 1, data(1, body))],
      ['an end before it, by an empty DATA', sent(unary, 9, data(1, body, 0), data(1, nothing))],
      ['an end before it, by trailers', sent(chat, 9, data(1, body, 0), headers(1, ['x', 'y'], 5))],
      ['an end before it, with the header', headers(1, [...unary, 'content-length', '7'], 5)],
      ['DATA beyond it, in the Connect protocol', sent(asJson(unary), 1, data(1, body, 0))],
      ['an end before it, in the Connect protocol', sent(asJson(unary), 8, data(1, body))],
    ];
    for (const [name, bytes] of wrong) {
      it(`${name} is malformed`, async () => {
        const peer = serverSide();
        await peer.receive(SETTINGS, bytes, call(3));
        assert.equal(peer.answer(1).reset, PROTOCOL_ERROR);
        assert.equal(status(peer.answer(3).fields), '0');
        assert.equal(peer.handled.unary.length, 1);
        assert.equal(peer.handled.ended, 0);
        assert.equal(peer.budget.bytes, 0);
      });
    }

    it('the sum of DATA without its padding is right', async () => {
      const peer = serverSide();
      const padded = Buffer.concat([Buffer.from([3]), body.subarray(2), Buffer.alloc(3)]);
      await peer.receive(SETTINGS, sent(unary, 7, data(1, body.subarray(0, 2), 0), data(1, padded, 9)));
      assert.equal(status(peer.answer(1).fields), '0');
    });

    it('such requests without end are given up like resets', async () => {
      const peer = serverSide();
      const bad = (id: number) => headers(id, [...unary, 'content-length', '7'], 5);
      await peer.receive(SETTINGS, Buffer.concat(Array.from({ length: 3_000 }, (_, i) => bad(2 * i + 1))));
      assert.equal(peer.error, ENHANCE_YOUR_CALM);
    });
  });

  it('a message over the limit is refused by its announced length', async () => {
    const peer = serverSide({ maxMessageBytes: 1_000 });
    await peer.receive(SETTINGS, request(1), data(1, message('', 0, 1_001), 0));
    assert.equal(status(peer.answer(1).fields), String(Status.RESOURCE_EXHAUSTED));
    await peer.receive(request(3), data(3, message('', 0, 0xffff_ffff), 0));
    assert.equal(status(peer.answer(3).fields), String(Status.RESOURCE_EXHAUSTED));
    await peer.receive(call(5, 'x'.repeat(1_000)));
    assert.equal(status(peer.answer(5).fields), '0');
    assert.equal(peer.budget.bytes, 0);
  });

  it('bodies of Connect that do not end are held in the budget, and given back', async () => {
    const connect = (id: number) =>
      headers(
        id,
        requestFields('/t/Echo').map((one) => (one === 'application/grpc+raw' ? 'application/json' : one)),
      );
    const peer = serverSide({ budget: new Budget(100, 1_000) });
    await peer.receive(SETTINGS, connect(1), data(1, Buffer.alloc(800, 'a'), 0));
    assert.equal(peer.budget.bytes, 800);
    await peer.receive(connect(3), data(3, Buffer.alloc(300, 'b'), 0));
    assert.equal(peer.answer(3).fields[1], '429');
    assert.match(peer.answer(3).body.toString(), /resource_exhausted/);
    assert.equal(peer.budget.bytes, 800);
    await peer.receive(data(1, Buffer.alloc(100, 'a')));
    assert.equal(peer.answer(1).body.length, 900);
    await peer.receive(connect(5), data(5, Buffer.alloc(500), 0), reset(5));
    assert.equal(peer.budget.bytes, 0);
  });

  it('a compressed message without grpc-encoding, and flags that do not exist, are INTERNAL', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS, request(1), data(1, message('x', 1)), request(3), data(3, message('x', 2)));
    assert.equal(status(peer.answer(1).fields), String(Status.INTERNAL));
    assert.equal(status(peer.answer(3).fields), String(Status.INTERNAL));
    await peer.receive(request(5, '/t/Echo', 'grpc-encoding', 'brotli'), data(5, message('x', 1)));
    assert.equal(status(peer.answer(5).fields), String(Status.UNIMPLEMENTED));
  });

  it('a request without an END_STREAM of its own is not reset after its answer', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS, headers(1, requestFields('/t/None'), 5), request(3, '/t/None'));
    assert.equal(peer.answer(1).reset, undefined);
    assert.equal(peer.answer(3).reset, ErrorCode.NO_ERROR);
  });
});

describe('messages and windows', () => {
  it('a message may be split anywhere, and END_STREAM may come on an empty DATA', async () => {
    const bytes = message('split anywhere');
    for (let at = 0; at <= bytes.length; at++) {
      const peer = serverSide();
      await peer.receive(SETTINGS, request(1));
      await peer.receive(data(1, bytes.subarray(0, at), 0), data(1, bytes.subarray(at), 0), data(1, nothing));
      assert.equal(peer.answer(1).body.toString('latin1', 5), 'split anywhere');
      assert.equal(peer.budget.bytes, 0);
    }
  });

  it('several messages may come in one DATA', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS, request(1, '/t/Chat'));
    await peer.receive(data(1, Buffer.concat(['a', '', 'ccc'].map((one) => message(one)))));
    await turn();
    assert.deepEqual(peer.handled.requests.map(String), ['a', '', 'ccc']);
    assert.equal(peer.handled.ended, 1);
  });

  it('padding counts for the windows', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS, request(1, '/t/Chat'));
    const padded = Buffer.concat([Buffer.from([255]), message('p'), Buffer.alloc(255)]);
    for (let i = 0; i < 520; i++) await peer.receive(data(1, padded, 8));
    const increments = peer.sent(8).filter(({ id }) => id === 1);
    const returned = increments.reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
    assert.ok(returned >= 131_072 && returned <= 520 * padded.length, `${returned} were returned`);
    assert.equal(peer.error, undefined);
  });

  it('more than the stream’s window is FLOW_CONTROL_ERROR', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS, request(1, '/t/Slow'));
    for (let i = 0; i < 17; i++) await peer.receive(data(1, message(Buffer.alloc(16_379)), 0));
    assert.equal(peer.error, FLOW_CONTROL_ERROR);
  });

  it('a slow reader holds its own stream and not the connection', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS, request(1, '/t/Slow'));
    for (let i = 0; i < 16; i++) await peer.receive(data(1, message(Buffer.alloc(16_379)), 0));
    for (let id = 3; id < 2_003; id += 2) await peer.receive(call(id, 'x'.repeat(10_000)));
    assert.equal(peer.handled.unary.length, 1_000);
    assert.equal(peer.error, undefined);
  });

  it('a window may be lowered below zero and raised again while a stream is blocked', async () => {
    const peer = serverSide({ bigBytes: 200_000 });
    await peer.receive(SETTINGS, call(1, '', '/t/Big'));
    assert.equal(peer.answer(1).body.length, 65_535);
    await peer.receive(settings([4, 0]), windowUpdate(0, 1_000_000), windowUpdate(1, 65_535));
    assert.equal(peer.answer(1).body.length, 65_535, 'the window is at 0');
    await peer.receive(windowUpdate(1, 1));
    assert.equal(peer.answer(1).body.length, 65_536);
    await peer.receive(settings([4, 1_000_000]));
    assert.equal(peer.answer(1).body.length, 200_005);
    assert.equal(status(peer.answer(1).fields), '0');
    assert.equal(peer.budget.bytes, 0);
  });

  it('streams take turns also when the connection’s window lets through one frame at a time', async () => {
    const peer = serverSide({ bigBytes: 40_000 });
    await peer.receive(settings([4, 1_000_000]), ...[1, 3, 5, 7].map((id) => call(id, '', '/t/Big')));
    for (let i = 0; i < 8; i++) await peer.receive(windowUpdate(0, 8_192));
    const bytes = [1, 3, 5, 7].map((id) => peer.answer(id).body.length);
    assert.ok(Math.max(...bytes) - Math.min(...bytes) <= 16_384 + 8_192, `${bytes} were sent`);
  });

  it('F57: a small reply does not wait for a large one', async () => {
    const peer = serverSide({ bigBytes: 4_000_000 });
    await peer.receive(settings([4, 5_000_000]), windowUpdate(0, 100_000_000));
    peer.socket.reads = false;
    await peer.receive(call(1, '', '/t/Big'), call(3, 'small'));
    for (let i = 0; i < 200 && peer.answer(3).body.length === 0; i++) {
      peer.socket.drain();
      peer.socket.reads = false;
      await turn();
    }
    assert.equal(status(peer.answer(3).fields), '0');
    assert.ok(peer.answer(1).body.length < 3_000_000);
  });
});

describe('what a client does not take', () => {
  it('a reply that gets no window ends with its call’s deadline', async () => {
    const peer = serverSide();
    peer.socket.receive(settings([4, 0]), request(1, '/t/Big', 'grpc-timeout', '20m'), data(1, message('')));
    assert.ok(peer.budget.bytes > 1_000_000);
    while (peer.connection.openStreams > 0) await turn();
    await turn();
    assert.equal(status(peer.answer(1).fields), String(Status.DEADLINE_EXCEEDED));
    assert.equal(peer.budget.bytes, 0);
    assert.equal(peer.budget.streams, 0);
  });

  it('a reply that was taken in part is reset at the deadline', async () => {
    const peer = serverSide();
    await peer.receive(settings([4, 100]), request(1, '/t/Big', 'grpc-timeout', '20m'), data(1, message('')));
    while (peer.connection.openStreams > 0) await turn();
    await turn();
    assert.equal(peer.answer(1).reset, ErrorCode.CANCEL);
    assert.equal(peer.budget.bytes, 0);
  });

  it('a unary call without a deadline is given up after a minute without its request, or of an untaken reply', async () => {
    const peer = serverSide();
    await peer.receive(
      settings([4, 100]),
      settingsAck,
      call(1, '', '/t/Big'),
      request(3),
      call(5, '', '/t/Hang'),
    );
    const now = performance.now();
    for (let s = 0; s < 75; s += 1) peer.connection.onTick(now + s * 1_000);
    await turn();
    assert.equal(peer.answer(1).reset, ErrorCode.CANCEL);
    assert.equal(status(peer.answer(3).fields), String(Status.DEADLINE_EXCEEDED));
    assert.equal(peer.connection.openStreams, 1);
    assert.equal(peer.budget.bytes, 0);
  });

  it('what is held of unfinished messages has a limit for the whole server', async () => {
    const budget = new Budget(10_000, 1_000_000);
    const peer = serverSide({ budget });
    await peer.receive(SETTINGS);
    for (let id = 1; id < 81; id += 2) {
      await peer.receive(request(id), data(id, message(Buffer.alloc(16_000), 0, 4_000_000), 0));
    }
    assert.ok(budget.bytes <= 1_000_000, `${budget.bytes} are held`);
    assert.equal(status(peer.answer(79).fields), String(Status.RESOURCE_EXHAUSTED));
    await peer.receive(call(81));
    assert.equal(status(peer.answer(81).fields), '0', 'a small message needs none of it');
    peer.socket.destroy();
    await turn();
    assert.equal(budget.bytes, 0);
    assert.equal(budget.streams, 0);
  });

  it('streams over the limits of the connection and of the server are refused', async () => {
    const budget = new Budget(15, 1_000_000);
    const [one, other] = [1, 2].map(() => serverSide({ budget, maxStreamsPerConnection: 10 }));
    for (const peer of [one!, other!]) {
      await peer.receive(SETTINGS);
      for (let id = 1; id < 25; id += 2) await peer.receive(call(id, '', '/t/Hang'));
    }
    assert.equal(one!.handled.unary.length, 10);
    assert.equal(other!.handled.unary.length, 5);
    assert.equal(one!.answer(21).reset, ErrorCode.REFUSED_STREAM);
    assert.equal(other!.answer(11).reset, ErrorCode.REFUSED_STREAM);
  });

  it('a client that does not read is not read', async () => {
    const peer = serverSide();
    peer.socket.reads = false;
    await peer.receive(SETTINGS);
    for (let id = 1; id < 200_001 && !peer.socket.isPaused(); id += 2) {
      peer.socket.receive(request(id, `/${'x'.repeat(250)}`), reset(id, 0));
      if (id % 101 === 0) await turn();
    }
    assert.ok(peer.socket.isPaused());
    assert.ok(peer.socket.writableLength < 4_000_000, `${peer.socket.writableLength} bytes wait`);
    peer.socket.drain();
    await turn();
    assert.equal(peer.socket.isPaused(), false);
  });

  it('a client that takes nothing for a minute is left', async () => {
    const peer = serverSide();
    peer.socket.reads = false;
    await peer.receive(SETTINGS, call(1));
    const now = performance.now();
    for (let s = 0; s < 70 && !peer.connection.isClosed; s++) peer.connection.onTick(now + s * 1_000);
    assert.ok(peer.socket.destroyed);
  });
});

describe('limits in time', () => {
  it('a frame has ten seconds, however many bytes come of it', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS, request(1));
    const bytes = data(1, message('dribbled'));
    const now = performance.now();
    for (let s = 0; s <= 11 && !peer.connection.isClosed; s++) {
      await peer.receive(bytes.subarray(s, s + 1));
      peer.connection.onTick(now + s * 1_000);
    }
    assert.equal(peer.error, ENHANCE_YOUR_CALM);
  });

  it('so has a block of headers; frames that come whole in time are no matter', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS, headers(1, requestFields('/t/Echo'), 0));
    const now = performance.now();
    for (let s = 0; s <= 11; s++) peer.connection.onTick(now + s * 1_000);
    await turn();
    assert.equal(peer.error, ENHANCE_YOUR_CALM);

    const other = serverSide();
    await other.receive(SETTINGS);
    for (let s = 0; s <= 30; s++) {
      await other.receive(ping().subarray(s === 0 ? 0 : 9), ping().subarray(0, 9));
      other.connection.onTick(now + s * 1_000);
    }
    assert.equal(other.error, undefined);
  });

  it('SETTINGS have five seconds', async () => {
    const peer = serverSide();
    peer.connection.onTick(performance.now() + 5_001);
    await turn();
    assert.equal(peer.error, ErrorCode.SETTINGS_TIMEOUT);
  });

  it('their acknowledgement of ours has ten', async () => {
    const peer = serverSide();
    const start = performance.now();
    await peer.receive(settings(), call(1));
    peer.connection.onTick(start + 9_000);
    assert.equal(peer.connection.isClosed, false);
    peer.connection.onTick(start + 11_000);
    await turn();
    assert.equal(peer.error, ErrorCode.SETTINGS_TIMEOUT);
    const other = serverSide();
    await other.receive(settings(), settingsAck);
    other.connection.onTick(performance.now() + 60_000);
    assert.equal(other.connection.isClosed, false);
  });

  it('a connection without calls is ended after five minutes, in two steps', async () => {
    const peer = serverSide();
    const start = performance.now();
    await peer.receive(SETTINGS, call(1));
    peer.connection.onTick(start + 1_000);
    peer.connection.onTick(start + 300_000);
    await turn();
    assert.equal(peer.sent(7).length, 0);
    peer.connection.onTick(start + 301_001);
    await turn();
    assert.deepEqual(
      peer.sent(7).map(({ payload }) => payload.readUInt32BE(0)),
      [2 ** 31 - 1],
    );
    await peer.receive(call(3), ping(1));
    assert.equal(status(peer.answer(3).fields), '0', 'a request that was on its way');
    assert.equal(peer.sent(7)[1]?.payload.readUInt32BE(0), 3);
    assert.ok(peer.socket.writableEnded);
  });

  it('a connection is ended at its age, and calls that do not end 30 s later', async () => {
    const peer = serverSide();
    const start = performance.now();
    await peer.receive(SETTINGS, call(1, '', '/t/Hang'));
    peer.connection.onTick(start + 26 * 60_000);
    await turn();
    assert.equal(peer.sent(7).length, 0);
    peer.connection.onTick(start + 34 * 60_000);
    await peer.receive(ping(1));
    assert.equal(peer.sent(7).length, 2);
    peer.connection.onTick(start + 34 * 60_000 + 29_000);
    assert.equal(peer.handled.cancelled.length, 0);
    peer.connection.onTick(start + 34 * 60_000 + 30_000);
    await turn();
    assert.equal(peer.handled.cancelled.length, 1);
    assert.equal(status(peer.answer(1).fields), String(Status.UNAVAILABLE));
  });

  it('a request above the last stream of the second GOAWAY is left unanswered, with its DATA', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS, call(1, '', '/t/Hang'));
    peer.connection.drain();
    await peer.receive(ping(1), call(3), call(5));
    assert.equal(peer.error, undefined);
    assert.equal(peer.handled.unary.length, 1);
    peer.handled.unary[0]!.call.reply(Buffer.from('done'));
    await turn();
    assert.equal(status(peer.answer(1).fields), '0');
    assert.ok(peer.socket.writableEnded);
  });
});

describe('floods', () => {
  const floods: [name: string, count: number, make: (i: number) => Buffer][] = [
    ['SETTINGS', 1_000, () => settings([4, 100])],
    ['SETTINGS acknowledgements', 1_000, () => frame(4, 1, 0)],
    ['PING', 1_000, () => ping()],
    ['PING acknowledgements', 1_000, () => ping(1)],
    ['PRIORITY', 1_000, () => frame(2, 0, 1, Buffer.alloc(5))],
    ['unknown frames', 1_000, () => frame(0x77, 0, 1, Buffer.alloc(5))],
    ['GOAWAY', 1_000, () => goAway(0)],
    ['empty DATA', 1_000, () => data(1, nothing, 0)],
    ['DATA of padding', 1_000, () => data(1, Buffer.from([1, 0]), 8)],
    ['late HEADERS', 1_000, () => headers(1, ['x', 'y'], 5)],
    ['WINDOW_UPDATE', 60_000, () => windowUpdate(0, 1)],
    ['WINDOW_UPDATE of a stream', 60_000, () => windowUpdate(1, 1)],
    ['resets of a closed stream', 60_000, () => reset(1)],
    [
      'streams that are cancelled at once',
      1_100,
      (i) => Buffer.concat([request(i * 2 + 3, '/t/Hang'), reset(i * 2 + 3)]),
    ],
    [
      'streams that the server has to reset',
      1_100,
      (i) => Buffer.concat([call(i * 2 + 3, '', '/t/Hang'), data(i * 2 + 3, nothing, 0)]),
    ],
    ['malformed requests', 1_100, (i) => headers(i * 2 + 3, ['x', 'y'])],
  ];
  for (const [name, count, make] of floods) {
    it(`${name}: ENHANCE_YOUR_CALM`, async () => {
      const peer = serverSide();
      const stays = name === 'empty DATA' || name === 'DATA of padding' || name.endsWith('of a stream');
      await peer.receive(SETTINGS, stays ? request(1) : call(1));
      await peer.receive(Buffer.concat(Array.from({ length: count }, (_, i) => make(i))));
      assert.equal(peer.error, ENHANCE_YOUR_CALM);
      assert.equal(peer.budget.streams, 0);
    });
  }

  it('control frames over a long time are no flood', async (t) => {
    const peer = serverSide();
    await peer.receive(SETTINGS);
    let later = performance.now();
    const now = t.mock.method(performance, 'now', () => later);
    for (let i = 0; i < 1_000; i++) {
      later += 1_000;
      peer.socket.receive(ping());
    }
    now.mock.restore();
    await turn();
    assert.equal(peer.error, undefined);
  });

  it('a PING with every message, as peers send that measure the line, is no flood', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS);
    for (let id = 1; id < 2_001; id += 2) await peer.receive(call(id), ping());
    assert.equal(peer.error, undefined);
  });

  it('calls that were cancelled at their deadline do not count as a flood', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS);
    for (let id = 1; id < 801; id += 2)
      await peer.receive(request(id, '/t/Hang', 'grpc-timeout', '1u'), data(id, message('')), reset(id));
    assert.equal(peer.error, undefined);
  });

  it('some hundreds of calls that are given up at once are no flood', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS);
    for (let id = 1; id < 1_001; id += 2) await peer.receive(call(id, '', '/t/Hang'), reset(id));
    assert.equal(peer.error, undefined);
  });

  it('streams that are left after their first reply are no flood', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS);
    for (let i = 0; i < 1_500; i++) {
      const id = 2 * i + 1;
      peer.socket.receive(request(id, '/t/Chat'), data(id, message('hi'), 0));
      await turn();
      peer.socket.receive(reset(id));
    }
    await turn();
    assert.equal(peer.handled.requests.length, 1_500);
    assert.equal(peer.error, undefined);
  });

  it('calls that are given up after a second are no flood, though they have no deadline', async (t) => {
    let later = performance.now();
    const now = t.mock.method(performance, 'now', () => later);
    const peer = serverSide();
    await peer.receive(SETTINGS);
    for (let round = 0; round < 2; round++) {
      const ids = Array.from({ length: 800 }, (_, i) => round * 1_600 + 2 * i + 1);
      for (const id of ids) peer.socket.receive(call(id, '', '/t/Hang'));
      later += 1_000;
      for (const id of ids) peer.socket.receive(reset(id));
      await turn();
    }
    now.mock.restore();
    assert.equal(peer.handled.cancelled.length, 1_600);
    assert.equal(peer.error, undefined);
  });

  it('the reset of a call that the server has answered early is no flood', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS);
    for (let i = 0; i < 15_000; i++) {
      const id = 2 * i + 1;
      peer.socket.receive(request(id, '/t/Refused'));
      if (i % 100 === 0) await turn();
      peer.socket.receive(reset(id, 0));
    }
    await turn();
    assert.equal(peer.error, undefined);
  });

  it('cancelled calls keep their place until their handlers have seen the abort', async () => {
    const peer = serverSide({ maxStreamsPerConnection: 10 });
    await peer.receive(SETTINGS);
    const burst = Array.from({ length: 50 }, (_, i) =>
      Buffer.concat([call(i * 2 + 1, '', '/t/Hang'), reset(i * 2 + 1)]),
    );
    await peer.receive(Buffer.concat(burst));
    assert.equal(peer.handled.unary.length, 10);
    assert.equal(peer.answer(21).reset, ErrorCode.REFUSED_STREAM);
    await peer.receive(call(201));
    assert.equal(status(peer.answer(201).fields), '0');
  });

  it('a block of headers over many CONTINUATION frames, or over many bytes', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS, headers(1, requestFields('/'), 0), ...Array(9).fill(frame(9, 0, 1)));
    assert.equal(peer.error, ENHANCE_YOUR_CALM);
    const other = serverSide();
    await other.receive(SETTINGS, headers(1, requestFields('/'), 0));
    for (let i = 0; i < 5; i++) await other.receive(frame(9, 0, 1, Buffer.alloc(16_384)));
    assert.equal(other.error, ENHANCE_YOUR_CALM);
  });

  it('metadata over the limit is refused, and the connection goes on; a bomb of HPACK ends it', async () => {
    const peer = serverSide();
    await peer.receive(
      SETTINGS,
      request(
        1,
        '/t/Echo',
        ...Array(60)
          .fill(['x-a', 'v'.repeat(600)])
          .flat()
          .slice(0, 40),
      ),
    );
    assert.equal(peer.error, undefined);
    const large = request(
      3,
      '/t/Echo',
      ...Array(100)
        .fill(['x-a', 'v'.repeat(350)])
        .flat(),
    );
    const [first, rest] = [large.subarray(9, 9 + 16_000), large.subarray(9 + 16_000)];
    await peer.receive(frame(1, 0, 3, first));
    for (let at = 0; at < rest.length; at += 16_000) {
      const part = rest.subarray(at, at + 16_000);
      await peer.receive(frame(9, at + 16_000 >= rest.length ? 4 : 0, 3, part));
    }
    assert.equal(status(peer.answer(3).fields), String(Status.RESOURCE_EXHAUSTED));
    // One entry of 4,000 bytes in the table, and a reference to it in each byte after that.
    const entry = Buffer.concat([Buffer.from([0x40, 1, 0x78, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4_000, 'v')]);
    await peer.receive(frame(1, 4, 5, Buffer.concat([entry, Buffer.alloc(10_000, 0xbe)])));
    assert.equal(peer.error, ENHANCE_YOUR_CALM);
  });
});

describe('what does not hold the connection up', () => {
  it('a decoder error of ours is not told to the peer', async () => {
    const peer = serverSide();
    const failing = {
      kind: 'unary',
      wire: () => {
        throw new Error('secret');
      },
    };
    await peer.receive(SETTINGS);
    (peer.connection.options.routes as Map<string, unknown>).set('/t/Throws', failing);
    await peer.receive(request(1, '/t/Throws'));
    assert.equal(peer.error, ErrorCode.INTERNAL_ERROR);
    assert.doesNotMatch(Buffer.concat(peer.socket.written).toString('latin1'), /secret/);
  });

  it('nothing is read after the connection has ended', async () => {
    const peer = serverSide();
    await peer.receive(SETTINGS, Buffer.concat([ping(), frame(6, 0, 0, uint32(1)), call(1)]));
    assert.equal(peer.handled.unary.length, 0);
    peer.connection.cutOff();
    await peer.receive(call(1));
    assert.equal(peer.handled.unary.length, 0);
  });
});
