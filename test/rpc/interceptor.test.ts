import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, Reply } from '../../rpc/call.js';
import { compose, type Interceptor } from '../../rpc/interceptor.js';
import { Metadata } from '../../rpc/metadata.js';

const empty = { method: { kind: 'unary' } } as Call;
const reply = (message: unknown): Reply => ({ message, header: new Metadata(), trailer: new Metadata() });

test('the first interceptor is the outermost, and without one the call goes straight on', async () => {
  const order: string[] = [];
  const named =
    (name: string): Interceptor =>
    async (call, next) => {
      order.push(`${name} in`);
      const answer = await next(call);
      order.push(`${name} out`);
      return answer;
    };
  const last = async (call: Call) => {
    order.push('last');
    return reply(call.message);
  };
  const call = { message: 'm', method: { kind: 'unary' } } as Call;
  assert.equal((await compose([named('a'), named('b')], last)(call)).message, 'm');
  assert.deepEqual(order, ['a in', 'b in', 'last', 'b out', 'a out']);
  assert.equal(compose([], last), last);
});

test('an interceptor may answer by itself, or go on twice', async () => {
  let calls = 0;
  const last = async () => reply(++calls);
  const twice: Interceptor = async (call, next) => {
    await next(call);
    return next(call);
  };
  assert.equal((await compose([twice], last)(empty)).message, 2);
  const own: Interceptor = async () => reply('own');
  assert.equal((await compose([own, twice], last)(empty)).message, 'own');
  assert.equal(calls, 2);
});
