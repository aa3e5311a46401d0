import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RpcError, Status } from 'lictor';
import { Budget } from '../../../transport/h2/budget.js';
import { Inbox } from '../../../transport/h2/inbox.js';
import { turn } from './fake-socket.js';

/** Keeps every view that it is asked to read. */
function inboxOf(budget = new Budget(1, 1_000_000)) {
  const seen: Uint8Array[] = [];
  const left: RpcError[] = [];
  const inbox = new Inbox({
    read(bytes, compressed) {
      if (bytes.length === 3) throw new RpcError(Status.INTERNAL, 'unreadable');
      seen.push(bytes);
      return Buffer.from(bytes).toString() + (compressed ? '!' : '');
    },
    onRoom() {},
    onLeave: (error) => left.push(error),
  });
  inbox.countIn(budget);
  return { seen, left, inbox, budget };
}

const viewsOf = (chunk: Buffer, count: number) =>
  Array.from({ length: count }, (_, i) => chunk.subarray(i * 4, i * 4 + 4));
const DONE = { done: true, value: undefined };
const step = (value: string) => ({ done: false, value });

describe('an inbox', () => {
  it('takes no copy of what is read in the turn in which it came', async () => {
    const { inbox, seen } = inboxOf();
    const chunk = Buffer.alloc(65_536, 'abcd');
    for (const view of viewsOf(chunk, 3)) inbox.put(view, false);
    for (let i = 0; i < 3; i++) assert.deepEqual(await inbox.next(), step('abcd'));
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
    for (const view of viewsOf(chunk, 3)) inbox.put(view, false);
    await turn();
    for (const view of viewsOf(chunk, 2)) inbox.put(view, false);
    await read(1);
    await turn();
    for (const view of viewsOf(chunk, 1)) inbox.put(view, false);
    await turn();
    await read(5);
    assert.ok(seen.every(({ buffer }) => buffer !== chunk.buffer));
    inbox.put(chunk, false);
    await turn();
    await inbox.next();
    assert.equal(seen.at(-1)?.buffer, chunk.buffer); // A message that fills its chunk is not copied.
  });

  it('knows of each message whether it came compressed, however they come and go', async () => {
    const { inbox } = inboxOf();
    const put = (text: string, compressed: boolean) => inbox.put(Buffer.from(text), compressed);
    const waiting = inbox.next();
    put('a', true);
    assert.deepEqual(await waiting, step('a!'));
    put('b', false);
    put('c', true);
    assert.deepEqual(await inbox.next(), step('b'));
    put('d', true);
    put('e', false);
    for (const value of ['c!', 'd!', 'e']) assert.deepEqual(await inbox.next(), step(value));
    put('f', false);
    assert.deepEqual(await inbox.next(), step('f'));
  });

  it('counts what is unread, empty messages too, until it is read', async () => {
    const { inbox, budget } = inboxOf();
    const waiting = inbox.next();
    inbox.put(Buffer.alloc(1_000), false);
    assert.equal(budget.bytes, 0); // It was waited for.
    await waiting;
    inbox.put(Buffer.alloc(0), false);
    const empty = budget.bytes;
    assert.ok(empty >= 100, `${empty} bytes for an empty message`);
    inbox.put(Buffer.alloc(1_000), false);
    assert.equal(budget.bytes, empty * 2 + 1_000);
    await inbox.next();
    assert.equal(budget.bytes, empty + 1_000);
    await inbox.next();
    assert.equal(budget.bytes, 0);
  });

  it('refuses what is over the budget, and takes on when there is room', async () => {
    const { inbox, budget } = inboxOf(new Budget(1, 10_000));
    inbox.put(Buffer.alloc(8_000), false);
    const { bytes } = budget;
    assert.throws(() => inbox.put(Buffer.alloc(2_000), false), { code: Status.RESOURCE_EXHAUSTED });
    assert.equal(budget.bytes, bytes);
    await inbox.next();
    inbox.put(Buffer.alloc(2_000), false);
  });

  const waysOut: Record<string, (inbox: Inbox) => unknown> = {
    'the reader leaves': (inbox) => inbox.return(),
    'the reader leaves after the end': (inbox) => {
      inbox.close(undefined);
      return inbox.return();
    },
    'the messages are dropped': (inbox) => inbox.drop(),
    'the messages are dropped after the end': (inbox) => {
      inbox.close(new RpcError(Status.CANCELLED, 'over'));
      inbox.drop();
    },
    'the stream is over': (inbox) => inbox.release(),
    'a message cannot be read': async (inbox) => {
      inbox.put(Buffer.from('bad'), false);
      inbox.put(Buffer.from('unread'), false);
      for (let i = 0; i < 2; i++) await inbox.next();
      await assert.rejects(inbox.next(), /unreadable/);
    },
  };
  for (const [name, leave] of Object.entries(waysOut)) {
    it(`gives back what it held when ${name}, once`, async () => {
      const { inbox, budget } = inboxOf();
      for (const view of viewsOf(Buffer.alloc(64, 'abcd'), 3)) inbox.put(view, true);
      await inbox.next();
      inbox.put(Buffer.from('late'), false);
      await inbox.next();
      assert.ok(budget.bytes > 0);
      inbox.put(Buffer.from('more'), false);
      await inbox.next();
      await leave(inbox);
      assert.equal(budget.bytes, 0);
      inbox.drop();
      inbox.release();
      assert.equal(budget.bytes, 0);
    });
  }

  it('lets what is unread be read after the end of its stream', async () => {
    const { inbox, budget } = inboxOf();
    inbox.put(Buffer.from('a'), true);
    inbox.put(Buffer.from('b'), false);
    inbox.close(undefined);
    inbox.release();
    assert.deepEqual(await inbox.next(), step('a!'));
    assert.deepEqual(await inbox.next(), step('b'));
    assert.deepEqual(await inbox.next(), DONE);
    assert.equal(budget.bytes, 0);
  });

  it('answers readers in the order in which they asked', async () => {
    const { inbox } = inboxOf();
    const steps = Promise.all(Array.from({ length: 4 }, () => inbox.next()));
    inbox.put(Buffer.from('a'), false);
    inbox.put(Buffer.from('b'), false);
    inbox.close(undefined);
    assert.deepEqual(await steps, [step('a'), step('b'), DONE, DONE]);
  });

  it('tells a failure to the first who waits, and to the others that it is over', async () => {
    const { inbox } = inboxOf();
    const steps = Promise.allSettled([inbox.next(), inbox.next()]);
    inbox.close(new RpcError(Status.UNAVAILABLE, 'lost'));
    const [first, second] = await steps;
    assert.equal(first.status, 'rejected');
    assert.deepEqual(second, { status: 'fulfilled', value: DONE });
    assert.deepEqual(await inbox.next(), DONE);
  });

  it('ends those who wait when the reader leaves, or cannot read what came', async () => {
    const one = inboxOf();
    const waiting = Promise.all([one.inbox.next(), one.inbox.next()]);
    await one.inbox.return();
    assert.deepEqual(await waiting, [DONE, DONE]);
    assert.equal(one.left.length, 1);
    const other = inboxOf();
    const steps = Promise.allSettled([other.inbox.next(), other.inbox.next()]);
    other.inbox.put(Buffer.from('bad'), false);
    assert.deepEqual((await steps)[1], { status: 'fulfilled', value: DONE });
    assert.equal(other.left.length, 1);
  });
});
