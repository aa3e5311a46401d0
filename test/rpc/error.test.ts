import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RpcError, textOf } from '../../rpc/error.js';
import { Metadata } from '../../rpc/metadata.js';
import { Status } from '../../rpc/status.js';
import { unprintable } from './unprintable.js';

test('the message has the code, the details have not', () => {
  const error = new RpcError(Status.NOT_FOUND, 'no such order');
  assert.equal(error.message, '[NOT_FOUND] no such order');
  assert.equal(error.details, 'no such order');
  assert.equal(error.status, 'NOT_FOUND');
  assert.equal(error.name, 'RpcError');
  assert.ok(error instanceof Error);
  assert.match(String(error.stack), /^RpcError: \[NOT_FOUND\] no such order\n/);
});

test('a call may have run unless the error says otherwise', () => {
  assert.equal(new RpcError(Status.INTERNAL, '').maybeExecuted, true);
  assert.equal(new RpcError(Status.INTERNAL, '', { maybeExecuted: false }).maybeExecuted, false);
});

test('a cause is there only when it was given', () => {
  assert.equal('cause' in new RpcError(Status.INTERNAL, ''), false);
  assert.equal('cause' in new RpcError(Status.INTERNAL, '', { cause: undefined }), true);
  const metadata = new Metadata();
  assert.equal(new RpcError(Status.INTERNAL, '', { metadata }).metadata, metadata);
});

describe('whatever was thrown becomes an RpcError', () => {
  test('an RpcError stays itself', () => {
    const error = new RpcError(Status.ABORTED, 'x');
    assert.equal(RpcError.from(error, Status.INTERNAL), error);
  });

  test('the reasons of signals get their codes', () => {
    const aborted = AbortSignal.abort().reason;
    assert.equal(RpcError.from(aborted).code, Status.CANCELLED);
    assert.equal(RpcError.from(aborted).cause, aborted);
    const timeout = new DOMException('late', 'TimeoutError');
    assert.equal(RpcError.from(timeout).code, Status.DEADLINE_EXCEEDED);
  });

  test('anything else gets the code asked for, and is the cause', () => {
    const values = [new Error('text'), 'text', 1, null, undefined, Symbol('s'), {}, () => {}];
    for (const value of values) {
      const error = RpcError.from(value, Status.INTERNAL);
      assert.equal(error.code, Status.INTERNAL);
      assert.equal(error.cause, value);
    }
    assert.equal(RpcError.from(new Error('text')).details, 'text');
    assert.equal(RpcError.from('text').code, Status.UNKNOWN);
  });

  for (const [name, value] of Object.entries(unprintable)) {
    test(`also ${name}`, () => {
      assert.equal(RpcError.from(value()).code, Status.UNKNOWN);
      assert.equal(typeof textOf(value()), 'string');
    });
  }
});

test('an error of another copy of the module is an RpcError too, and stays itself', async () => {
  const again: typeof import('../../rpc/error.js') = await import(`../../rpc/error.js?copy=${Date.now()}`);
  assert.notEqual(again.RpcError, RpcError);
  const error = new again.RpcError(Status.NOT_FOUND, 'no such thing');
  assert.ok(error instanceof RpcError);
  assert.equal(RpcError.from(error), error);
  class Own extends RpcError {}
  assert.ok(new Own(Status.ABORTED, 'own') instanceof Own);
  assert.ok(!(error instanceof Own));
  for (const other of [undefined, null, 'RpcError', new Error('other'), { code: 5 }]) {
    assert.ok(!(other instanceof RpcError));
  }
});
