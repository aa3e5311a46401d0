import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Output } from '../../../transport/h2/output.js';
import { FakeSocket, turn } from './fake-socket.js';

describe('what is gathered for a socket', () => {
  it('is written in order, whatever the sizes and turns', async () => {
    const sizes = fc.array(fc.oneof(fc.nat(40), fc.nat(2_000), fc.nat(40_000)), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.array(sizes, { maxLength: 5 }), async (turns) => {
        const socket = new FakeSocket();
        const output = new Output(socket.asSocket, { openStreams: turns.length });
        const wanted: Buffer[] = [];
        for (const [i, writes] of turns.entries()) {
          for (const [j, bytes] of writes.entries()) {
            const source = Buffer.alloc(bytes, i * 16 + j + 1);
            wanted.push(source);
            output.write(source, 0, bytes);
          }
          await turn();
        }
        assert.ok(Buffer.concat(socket.written).equals(Buffer.concat(wanted)));
        assert.equal(output.pendingBytes, 0);
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('leaves no chunk behind when it was little', async () => {
    const output = new Output(new FakeSocket().asSocket, { openStreams: 2 });
    for (let i = 0; i < 100; i++) output.write(Buffer.alloc(100), 0, 100);
    await turn();
    assert.ok(output.chunk.length > 0, 'a busy connection goes on in its chunk');
    output.write(Buffer.alloc(100), 0, 100);
    await turn();
    assert.equal(output.chunk.length, 0);
  });
});
