import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SendWindow } from '../../../transport/h2/flow-control.js';
import { FrameWriter } from '../../../transport/h2/frame-writer.js';
import { Output } from '../../../transport/h2/output.js';
import type { Sender } from '../../../transport/h2/owner.js';
import { Sending } from '../../../transport/h2/sending.js';
import { FakeSocket } from './fake-socket.js';

const FRAME = 16_384;

function senders(count: number) {
  const output = new Output(new FakeSocket().asSocket, { openStreams: 2 });
  const sending = new Sending(new FrameWriter(output), output, () => {});
  const sent: number[] = [];
  const left = Array.from({ length: count }, () => 0);
  const streams = left.map(
    (_, id): Sender => ({
      id,
      sendWindow: new SendWindow(FRAME),
      isSending: false,
      sendsAfter: undefined,
      sendsBefore: undefined,
      sendQueued(maxBytes) {
        assert.ok(maxBytes > 0);
        sent.push(id);
        sending.spend(this, FRAME);
        return --left[id]! > 0;
      },
      release() {},
    }),
  );
  assert.ok(sending.takes(streams[0]!, FRAME) && sending.add(FRAME - 65_535)); // Nothing is left of the window.
  return { sending, streams, sent, left };
}

describe('streams that wait to send', () => {
  it('take turns, a frame each, in the order in which they came', () => {
    const { sending, streams, sent, left } = senders(3);
    left.splice(0, 3, 2, 1, 3);
    for (const stream of streams) sending.enqueue(stream);
    assert.deepEqual(sent, []);
    sending.add(FRAME * 100);
    sending.send();
    assert.deepEqual(sent, [0, 1, 2, 0, 2, 2]);
  });

  it('do what a Set in order of insertion does', () => {
    const step = fc.record({ what: fc.constantFrom('enqueue', 'remove', 'send'), id: fc.nat(4) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { sending, streams, sent, left } = senders(5);
        const model = new Set<number>();
        const wanted: number[] = [];
        for (const { what, id } of steps) {
          const stream = streams[id]!;
          if (what === 'enqueue') {
            left[id]!++;
            model.add(id);
            sending.enqueue(stream);
          } else if (what === 'remove') {
            left[id] = 0;
            model.delete(id);
            sending.remove(stream);
          } else {
            sending.add(FRAME); // For one frame.
            const [next] = model;
            if (next !== undefined) {
              model.delete(next);
              wanted.push(next);
              if (left[next]! > 1) model.add(next);
            }
            sending.send();
            if (next === undefined) sending.spend(stream, FRAME);
          }
          assert.deepEqual(sent, wanted);
          assert.deepEqual(
            streams.filter(({ isSending }) => isSending).map((one) => one.id),
            [...model].sort(),
          );
        }
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});
