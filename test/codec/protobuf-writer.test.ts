import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import pb from 'protobufjs';
import { written } from '../../codec/protobuf-writer.js';

const { root } = pb.parse('syntax = "proto3"; message M { string text = 1; bytes data = 2; }', {
  keepCase: true,
});
const M = root.lookupType('M');
const plain = (message: object) => Buffer.from(M.encode(message).finish());

describe('the writer of protobuf messages', () => {
  it('leaves what it has written as it is, over any number of blocks', () => {
    const messages = Array.from({ length: 2_000 }, (_, i) => ({ text: `${i}`.repeat(1 + (i % 97)) }));
    const bytes = messages.map((message) => written(M, message));
    for (const [i, message] of messages.entries()) assert.deepEqual(Buffer.from(bytes[i]!), plain(message));
  });

  it('writes a message larger than a block, and small ones around it', () => {
    const large = { text: 'x', data: Buffer.alloc(1_000_000, 'y') };
    const small = { text: 'small' };
    const bytes = [written(M, small), written(M, large), written(M, small)];
    assert.deepEqual(bytes.map(Buffer.from), [plain(small), plain(large), plain(small)]);
  });

  it('lets a getter of one message write another', () => {
    const inner = { text: 'inner' };
    let innerBytes: Uint8Array | undefined;
    const outer = {
      get text() {
        innerBytes = written(M, inner);
        return 'outer';
      },
    };
    assert.deepEqual(Buffer.from(written(M, outer)), plain({ text: 'outer' }));
    assert.deepEqual(Buffer.from(innerBytes!), plain(inner));
  });

  it('goes on after a message that cannot be written', () => {
    const broken = {
      get data(): never {
        throw new Error('no data');
      },
    };
    assert.throws(() => written(M, broken), /no data/);
    assert.deepEqual(Buffer.from(written(M, { text: 'next' })), plain({ text: 'next' }));
  });
});
