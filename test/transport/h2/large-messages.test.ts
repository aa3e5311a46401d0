import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Budget } from '../../../transport/h2/budget.js';
import { ReceiveWindow } from '../../../transport/h2/flow-control.js';
import { PartialMessage } from '../../../transport/h2/partial-message.js';
import { DATA, WINDOW_UPDATE } from '../../../transport/h2/protocol.js';
import { data, message, request, settings, windowUpdate } from './frames.js';
import { serverSide } from './server-side.js';

const MIB = 1_048_576;
const FRAME = 16_384;
const WINDOW = 262_144;

/** A budget that remembers each time more was taken. */
class Watched extends Budget {
  takes = 0;

  constructor(maxBytes = 8 * MIB) {
    super(1, maxBytes);
  }

  override take(bytes: number): boolean {
    this.takes++;
    return super.take(bytes);
  }
}

function assemble(bytes: Buffer, pieceBytes: number, budget = new Watched()) {
  const partial = new PartialMessage(budget, 4 * MIB);
  let mostHeld = 0;
  let held = 0; // The most that was held for each byte that had come.
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const end = Math.min(at + pieceBytes, bytes.length);
    assert.equal(partial.take(bytes, at, end), end);
    mostHeld = Math.max(mostHeld, budget.bytes);
    held = Math.max(held, budget.bytes / end);
  }
  assert.ok(partial.isWhole);
  return { got: partial.handOver(), mostHeld, held, budget };
}

describe('a large message', () => {
  const payload = Buffer.alloc(MIB + 7, 'abcdefghijklmnopqrstuvwxyz0123456789');

  for (const pieceBytes of [1, 7, 1_000, FRAME, 65_536]) {
    it(`in pieces of ${pieceBytes} bytes is the same, and is moved a few times only`, () => {
      const { got, mostHeld, held, budget } = assemble(message(payload), pieceBytes);
      assert.ok(got.equals(payload));
      assert.equal(mostHeld, payload.length);
      assert.ok(held <= 64, `${held} bytes held for one that came`);
      assert.ok(budget.takes <= 8, `${budget.takes} buffers`);
      assert.equal(budget.bytes, 0);
    });
  }

  it('that is only claimed allocates nothing', () => {
    const budget = new Watched();
    const partial = new PartialMessage(budget, 4 * MIB);
    partial.take(message('', 0, 4 * MIB), 0, 5);
    assert.equal(budget.bytes, 0);
    partial.take(Buffer.alloc(FRAME), 0, FRAME);
    assert.ok(budget.bytes <= 8 * FRAME, `${budget.bytes} bytes held`);
    partial.release();
    assert.equal(budget.bytes, 0);
  });

  it('over the budget is refused, and what it held is given back', async () => {
    const budget = new Budget(10, 100_000);
    const side = serverSide({ budget });
    await side.receive(settings(), request(1), data(1, message(Buffer.alloc(FRAME - 5), 0, MIB), 0));
    assert.match(side.answer(1).fields.join(), /grpc-status,8/);
    assert.equal(budget.bytes, 0);
  });

  it('may be sent on without waiting once part of it has come', async () => {
    const side = serverSide();
    await side.receive(settings(), request(1, '/t/Hang'));
    const bytes = message(payload);
    const granted = () =>
      side
        .sent(WINDOW_UPDATE)
        .filter(({ id }) => id === 1)
        .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), WINDOW);
    let early = 0;
    for (let at = 0; at < bytes.length; at += FRAME) {
      const end = Math.min(at + FRAME, bytes.length);
      assert.ok(granted() >= end, `the window ends at ${granted()}, wanted up to ${end}`);
      await side.receive(data(1, bytes.subarray(at, end), end === bytes.length ? 1 : 0));
      if (end > MIB / 4) early ||= granted();
    }
    assert.ok(early >= bytes.length, `after a quarter of it the window ends at ${early}`);
    assert.ok(side.handled.unary[0]!.request.equals(payload));
    assert.equal(side.budget.bytes, 0);
  });

  it('gets no more than the window while one before it is not read', async () => {
    const side = serverSide();
    const first = message(payload);
    await side.receive(settings(), request(1, '/t/Slow'));
    for (let at = 0; at < first.length; at += FRAME)
      await side.receive(data(1, first.subarray(at, at + FRAME), 0));
    const before = side.sent(WINDOW_UPDATE).filter(({ id }) => id === 1).length;
    const second = message(payload);
    for (let at = 0; at < WINDOW / 2 - 2 * FRAME; at += FRAME)
      await side.receive(data(1, second.subarray(at, at + FRAME), 0));
    assert.equal(side.sent(WINDOW_UPDATE).filter(({ id }) => id === 1).length, before);
    assert.equal(side.error, undefined);
  });

  it('does not hold up the small ones behind it', async () => {
    const side = serverSide({ bigBytes: 200_000 });
    await side.receive(settings([4, 2 * MIB]));
    await side.receive(
      request(1, '/t/Big'),
      data(1, message('')),
      request(3, '/t/Big'),
      data(3, message('')),
      windowUpdate(0, 2 * MIB),
    );
    const order = side.sent(DATA).map(({ id }) => id);
    assert.ok(order.indexOf(3) < order.lastIndexOf(1), `sent in the order ${order.join()}`);
  });
});

describe('a receive window', () => {
  it('is never wider than its size or than was ensured, and does not shrink', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ bytes: fc.nat(400), ensure: fc.oneof(fc.constant(0), fc.nat(2_000)) })),
        (steps) => {
          const size = 1_000;
          const window = new ReceiveWindow(size);
          let available = size;
          let widest = size;
          for (const { bytes, ensure } of steps) {
            const came = Math.min(bytes, available);
            window.received(came);
            available -= came;
            available += window.consumed(came);
            available += window.ensure(ensure);
            widest = Math.max(size, Math.max(widest - came, ensure));
            assert.ok(available >= Math.max(ensure, 1), `${available} bytes may be sent`);
            assert.ok(available <= widest, `${available} bytes may be sent, at most ${widest} should`);
          }
        },
      ),
      { seed: 1, numRuns: 2_000 },
    );
  });
});
