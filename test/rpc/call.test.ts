import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Call, type Reply, whenDone } from '../../rpc/call.js';
import { RpcError } from '../../rpc/error.js';
import { Metadata } from '../../rpc/metadata.js';
import { single } from '../../rpc/single.js';
import { Status } from '../../rpc/status.js';

const callOf = (kind: string) => ({ method: { kind } }) as Call;
const replyOf = (message: unknown): Reply => ({ message, header: new Metadata(), trailer: new Metadata() });

async function* three(fail = false) {
  yield 1;
  yield 2;
  if (fail) throw new TypeError('half-way');
  yield 3;
}

describe('whenDone', () => {
  test('of one reply is told at once', () => {
    const told: unknown[] = [];
    const reply = replyOf('m');
    assert.equal(
      whenDone(callOf('unary'), reply, (error) => told.push(error)),
      reply,
    );
    assert.deepEqual(told, [undefined]);
  });

  test('of a stream is told when it has ended, failed or been left', async () => {
    const told: (RpcError | undefined)[] = [];
    const watch = (messages: AsyncIterable<number>) =>
      whenDone(callOf('bidi'), replyOf(messages), (error) => told.push(error))
        .message as AsyncIterable<number>;
    const ended: number[] = [];
    for await (const n of watch(three())) {
      assert.equal(told.length, 0);
      ended.push(n);
    }
    assert.deepEqual([ended, told], [[1, 2, 3], [undefined]]);
    for await (const _ of watch(three())) break;
    assert.equal(told.length, 2);
    assert.equal((told[1] as RpcError | undefined)?.code, Status.CANCELLED);
    const failed = (async () => {
      for await (const _ of watch(three(true)));
    })();
    await assert.rejects(failed, { message: 'half-way' });
    assert.equal((told[2] as RpcError | undefined)?.details, 'half-way');
    assert.equal(told.length, 3);
  });
});

describe('the one message of a stream', () => {
  test('is given back, and none or more is UNIMPLEMENTED', async () => {
    async function* of(...messages: unknown[]) {
      yield* messages;
    }
    assert.equal(await single(of('a'), 'x'), 'a');
    assert.equal(await single(of(undefined), 'x'), undefined);
    await assert.rejects(single(of(), 'what'), { code: Status.UNIMPLEMENTED, message: /what: no message/ });
    await assert.rejects(single(of(1, 2), 'what'), {
      code: Status.UNIMPLEMENTED,
      message: /what: more than one/,
    });
    await assert.rejects(
      single(three(true), 'x'),
      (error) => !(error instanceof RpcError) || error.code === 12,
    );
  });
});
