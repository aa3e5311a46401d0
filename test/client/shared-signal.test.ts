import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { Metadata } from 'lictor';
import { failures } from '../contract/transport.js';
import { turns } from '../deferred.js';
import { fleet } from './fleet.js';

test('calls that share a signal share one listener, waiting or sent, and all end with it', async () => {
  await using it = await fleet(['a:1']);
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = () => getEventListeners(signal, 'abort').length;
  const calls = Array.from({ length: 20 }, (_, i) =>
    i % 2 === 0
      ? it.api.hang({}, { signal })
      : it.api
          .stream({}, { signal })
          [Symbol.asyncIterator]()
          .next()
          .then(() => it.api.hang({}, { signal })),
  );
  const ended = failures(...calls);
  await turns();
  assert.equal(listeners(), 1);
  it.resolver.nodes('a:1');
  await turns();
  assert.equal(listeners(), 1);
  controller.abort();
  for (const error of await ended) assert.equal(error.status, 'CANCELLED');
  assert.equal(listeners(), 0);
});

test('metadata that its owner changes after the call is sent as it was', async () => {
  const seen: unknown[] = [];
  await using it = await fleet(['a:1'], {}, (engine) => ({
    ...engine,
    connect(options) {
      const connection = engine.connect(options);
      return {
        unary(call) {
          seen.push(call.metadata?.get('md'));
          return connection.unary(call);
        },
        stream(call, requests) {
          seen.push(call.metadata?.get('md'));
          return connection.stream(call, requests);
        },
        close: (graceMs) => connection.close(graceMs),
      };
    },
  }));
  const metadata = new Metadata().set('md', '1');
  const first = it.api.who({}, { metadata });
  const replies = it.api.stream({}, { metadata })[Symbol.asyncIterator]();
  metadata.set('md', '2');
  const second = it.api.who({}, { metadata });
  await turns();
  it.resolver.nodes('a:1');
  await Promise.all([first, second]);
  await replies.next();
  await replies.return!();
  assert.deepEqual(seen.sort(), ['1', '1', '2']);
});
