import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Inbox } from '../../../transport/h2/inbox.js';
import { turn } from './fake-socket.js';

/** Keeps every view that it is asked to decode. */
function inboxOf() {
  const seen: Uint8Array[] = [];
  const codec = {
    encode: () => new Uint8Array(0),
    decode(bytes: Uint8Array) {
      seen.push(bytes);
      return Buffer.from(bytes).toString();
    },
  };
  return { seen, inbox: new Inbox(codec, { onRoom() {}, onLeave() {} }) };
}

const viewsOf = (chunk: Buffer, count: number) =>
  Array.from({ length: count }, (_, i) => chunk.subarray(i * 4, i * 4 + 4));

describe('an inbox', () => {
  it('takes no copy of what is read in the turn in which it came', async () => {
    const { inbox, seen } = inboxOf();
    const chunk = Buffer.alloc(65_536, 'abcd');
    for (const view of viewsOf(chunk, 3)) inbox.put(view);
    for (let i = 0; i < 3; i++) assert.deepEqual(await inbox.next(), { done: false, value: 'abcd' });
    assert.deepEqual(
      seen.map(({ buffer }) => buffer === chunk.buffer),
      [true, true, true],
    );
  });

  it('holds no chunk for small messages that are read later, however they come and go', async () => {
    const { inbox, seen } = inboxOf();
    const chunk = Buffer.alloc(65_536, 'abcd');
    const read = async (count: number) => {
      for (let i = 0; i < count; i++) assert.equal((await inbox.next()).value, 'abcd');
    };
    for (const view of viewsOf(chunk, 3)) inbox.put(view);
    await turn();
    for (const view of viewsOf(chunk, 2)) inbox.put(view);
    await read(1);
    await turn();
    for (const view of viewsOf(chunk, 1)) inbox.put(view);
    await turn();
    await read(5);
    assert.ok(seen.every(({ buffer }) => buffer !== chunk.buffer));
    inbox.put(chunk);
    await turn();
    await inbox.next();
    assert.equal(seen.at(-1)?.buffer, chunk.buffer); // A message that fills its chunk is not copied.
  });
});
