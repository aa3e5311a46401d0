import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FrameReader } from '../../../transport/h2/frame-reader.js';
import { seeded } from '../../seeded.js';
import { turn } from './fake-socket.js';
import { frame } from './frames.js';
import { checkReleased, chunksOf, hostileConnection, mutate, randomFrames } from './fuzz.js';
import { checkEnded, type HostileServer, hangUp, hostileServer } from './fuzz-client.js';
import { serverSide } from './server-side.js';

const anyFrame = fc.record(
  {
    type: fc.nat(255),
    flags: fc.nat(255),
    id: fc.nat(2 ** 31 - 1),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(16_384).map((length) => new Uint8Array(length)),
    ),
  },
  { noNullPrototype: true },
);

describe('F33: any chunking', () => {
  it('of frames gives the same frames', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 8 }), fc.integer(), (frames, seed) => {
        const got: unknown[] = [];
        const reader = new FrameReader({
          onFrame(type, flags, id, buffer, start, end) {
            got.push({ type, flags, id, payload: new Uint8Array(buffer.subarray(start, end)) });
          },
        });
        const bytes = Buffer.concat(frames.map((one) => frame(one.type, one.flags, one.id, one.payload)));
        for (const chunk of chunksOf(bytes, seeded(seed))) reader.push(chunk);
        assert.equal(reader.midFrame, false);
        assert.deepEqual(got, frames);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('of what a client sends gets the same answers', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = seeded(seed);
        const bytes = mutate(Buffer.concat(randomFrames(random)), random);
        const whole = serverSide();
        const pieces = serverSide();
        whole.socket.receive(bytes);
        for (const chunk of chunksOf(bytes, random)) pieces.socket.receive(chunk);
        await turn();
        await turn();
        assert.equal(pieces.connection.isClosed, whole.connection.isClosed);
        assert.equal(pieces.connection.openStreams, whole.connection.openStreams);
        assert.equal(pieces.error, whole.error);
        assert.deepEqual(
          pieces.handled.unary.map(({ request }) => request),
          whole.handled.unary.map(({ request }) => request),
        );
        assert.deepEqual(Buffer.concat(pieces.socket.written), Buffer.concat(whole.socket.written));
        checkReleased(whole);
        checkReleased(pieces);
      }),
      { seed: 1, numRuns: 1_000 },
    );
  });
});

describe('mutated frames', () => {
  it('of a server neither break nor hold up a client, and every call ends once', async () => {
    const batch: HostileServer[] = [];
    for (let seed = 1; seed <= 5_000; seed++) {
      const tried = hostileServer(seeded(seed));
      assert.ok(
        tried.longestMs < 100 || hostileServer(seeded(seed)).longestMs < 100,
        `sequence ${seed} hangs`,
      );
      batch.push(tried);
      if (seed % 50 !== 0) continue;
      await turn();
      batch.forEach(hangUp);
      await turn();
      batch.splice(0).forEach(checkEnded);
    }
  });

  it('of a client neither break nor hold up the process, and leave nothing behind', async () => {
    for (let seed = 1; seed <= 5_000; seed++) {
      const { side, longestMs } = hostileConnection(seeded(seed));
      assert.ok(longestMs < 100 || hostileConnection(seeded(seed)).longestMs < 100, `sequence ${seed} hangs`);
      if (seed % 50 === 0) await turn();
      checkReleased(side);
    }
  });
});
