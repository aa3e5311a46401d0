import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Frame, FrameReader, frame } from '../../codec/framing.js';
import { Status } from '../../rpc/status.js';
import { hasCode } from '../contract/serialization.js';

const readAll = (reader: FrameReader, bytes: Uint8Array, chunkBytes: number): Frame[] => {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes)
    frames.push(...reader.push(bytes.subarray(at, at + chunkBytes)));
  return frames;
};

describe('gRPC message framing', () => {
  test('writes a flag, the length in four bytes, big end first, and the message', () => {
    assert.equal(frame(Buffer.from('abc')).toString('hex'), '0000000003616263');
    assert.equal(frame(Buffer.from('abc'), true).toString('hex'), '0100000003616263');
    assert.equal(frame(Buffer.alloc(0x010203)).subarray(0, 5).toString('hex'), '0000010203');
  });

  test('reads the same messages however the bytes are cut into chunks', () => {
    const message = fc.record(
      { payload: fc.uint8Array({ maxLength: 3_000 }), compressed: fc.boolean() },
      { noNullPrototype: true },
    );
    const sizes = fc.array(fc.integer({ min: 1, max: 1_500 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), sizes, (messages, chunks) => {
        const bytes = Buffer.concat(messages.map(({ payload, compressed }) => frame(payload, compressed)));
        const reader = new FrameReader();
        const read: Frame[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = chunks[turn % chunks.length]!;
          read.push(...reader.push(bytes.subarray(at, at + size)));
          at += size;
        }
        reader.end();
        assert.deepEqual(
          read.map(({ payload, compressed }) => ({ payload: Uint8Array.from(payload), compressed })),
          messages,
        );
      }),
    );
  });

  for (const chunkBytes of [1, 100, 1_024]) {
    test(`reads a message of 4 MiB in chunks of ${chunkBytes} bytes`, () => {
      const payload = Buffer.alloc(4 * 1024 * 1024, 'lictor');
      const frames = readAll(new FrameReader(), frame(payload), chunkBytes);
      assert.equal(frames.length, 1);
      assert.ok(payload.equals(frames[0]!.payload));
    });
  }

  test('keeps a message apart from the chunks that follow it', () => {
    const reader = new FrameReader();
    const chunk = Buffer.from(frame(Buffer.from('first')));
    reader.push(chunk.subarray(0, 7));
    const [first] = reader.push(chunk.subarray(7));
    reader.push(frame(Buffer.from('other')).subarray(0, 8));
    assert.equal(Buffer.from(first!.payload).toString(), 'first');
  });

  test('gives empty messages, also when nothing follows them', () => {
    assert.equal(
      new FrameReader().push(Buffer.concat([frame(new Uint8Array()), frame(new Uint8Array())])).length,
      2,
    );
  });

  test('refuses a length over the limit at its header, before any of the message has come', () => {
    const reader = new FrameReader(1_000);
    const header = Buffer.from('00ffffffff', 'hex');
    assert.throws(
      () => reader.push(header),
      hasCode(Status.RESOURCE_EXHAUSTED, 'message of 4294967295 bytes, at most 1000'),
    );
  });

  test('takes a message of just the limit', () => {
    assert.equal(new FrameReader(10).push(frame(Buffer.alloc(10))).length, 1);
    assert.throws(
      () => new FrameReader(10).push(frame(Buffer.alloc(11))),
      hasCode(Status.RESOURCE_EXHAUSTED, '11'),
    );
  });

  test('refuses flags that gRPC does not define', () => {
    assert.throws(
      () => new FrameReader().push(Buffer.from('0200000000', 'hex')),
      hasCode(Status.INTERNAL, '0x2'),
    );
  });

  test('says where a stream ended that ended inside a message', () => {
    const inHeader = new FrameReader();
    inHeader.push(Buffer.from('0000', 'hex'));
    assert.throws(() => inHeader.end(), hasCode(Status.UNAVAILABLE, '2 bytes into a header'));
    const inPayload = new FrameReader();
    inPayload.push(frame(Buffer.alloc(10)).subarray(0, 9));
    assert.throws(() => inPayload.end(), hasCode(Status.UNAVAILABLE, '9 bytes into one of 10 bytes'));
    new FrameReader().end();
  });
});
