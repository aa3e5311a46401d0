import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import { Status } from '../../rpc/status.js';
import { errorFrom } from '../../transport/grpc-js/error.js';

const messageOf = (details: string, code: Status = Status.UNAVAILABLE) =>
  errorFrom({ code, details, metadata: new Metadata() }, '10.0.0.1:80', false).message;

describe('an error of grpc-js says', () => {
  test('which node was lost during a call', () => {
    assert.equal(
      messageOf('Connection dropped'),
      '[UNAVAILABLE] the connection to 10.0.0.1:80 was lost during the call',
    );
  });

  test('which node could not be reached, without a note that is empty', () => {
    assert.equal(
      messageOf('No connection established. Last error: connect ECONNREFUSED. Resolution note: '),
      '[UNAVAILABLE] no connection to 10.0.0.1:80: No connection established. Last error: connect ECONNREFUSED',
    );
  });

  test('why a connection was lost, and to whom', () => {
    assert.equal(
      messageOf('read ECONNRESET'),
      '[UNAVAILABLE] the connection to 10.0.0.1:80 was lost during the call: read ECONNRESET',
    );
  });

  test('that a call has run whose server forwards what grpc-js says of calls that were never sent', () => {
    const forwarded = new Metadata();
    forwarded.set('date', 'today');
    const status = { code: Status.UNAVAILABLE, details: 'No connection established', metadata: forwarded };
    assert.equal(errorFrom(status, '10.0.0.1:80', false).maybeExecuted, true);
    const afterHeader = { ...status, metadata: new Metadata() };
    assert.equal(errorFrom(afterHeader, '10.0.0.1:80', true).maybeExecuted, true);
    assert.equal(errorFrom(afterHeader, '10.0.0.1:80', false).maybeExecuted, false);
  });

  test('what the server said, unchanged', () => {
    assert.equal(messageOf('Connection dropped', Status.INTERNAL), '[INTERNAL] Connection dropped');
  });
});
