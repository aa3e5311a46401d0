import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Client, type ClientOptions, Status } from 'lictor';
import { failure } from '../contract/transport.js';
import { Fleet, fleet } from './fleet.js';

describe('options of a client', () => {
  for (const [name, value, message] of [
    ['balancer', 'best', /balancer: .*'roundRobin'.*got "best"/],
    ['balancer', '__proto__', /got "__proto__"/],
    ['balancer', {}, /without build/],
    ['transport', 'pigeon', /grpc-js, h2, memory.*"pigeon"/],
    ['transport', 'constructor', /"constructor"/],
    ['target', 'localhost', /"localhost": no port/],
    ['target', 'http://a:1', /"http:\/\/a:1"/],
    ['compression', 'brotli', /"brotli".*gzip/],
    ['timeoutMs', -1, /timeoutMs.*got -1/],
    ['timeoutMs', Number.NaN, /timeoutMs.*got NaN/],
    ['timeoutMs', '5', /timeoutMs.*got 5/],
    ['graceMs', -1, /graceMs.*got -1/],
    ['emptyListGraceMs', -1, /emptyListGraceMs.*got -1/],
    ['emptyListPolicy', 'hope', /emptyListPolicy: one of grace, keep, obey, got "hope"/],
    ['maxMessageBytes', 0, /maxMessageBytes.*got 0/],
    ['maxDecodedBytes', Number.NaN, /maxDecodedBytes.*got NaN/],
    ['resolver', {}, /resolver: .*consul\(\.\.\.\)/],
    ['plugins', [{ kind: 'resolver' }], /a client takes tracing plugins/],
  ] as const) {
    test(`${name}: ${String(JSON.stringify(value))} is refused when the client is made`, () => {
      assert.throws(() => new Client({ [name]: value } as ClientOptions), message);
    });
  }

  test('a service with an unknown serialization is refused, with the names that are known', () => {
    assert.throws(
      () => new Client().service(Fleet, { serialization: 'xml' }),
      /"xml".*protobuf, json, msgpack/,
    );
  });
});

describe('options of a call', () => {
  test('that are wrong fail the call before anything is sent', async () => {
    await using it = await fleet(['127.0.0.1:1']);
    it.resolver.nodes('127.0.0.1:1');
    const calls = [
      it.api.who({}, { timeoutMs: -1 }),
      it.api.who({}, { timeoutMs: Number.NaN }),
      it.api.who({}, { metadata: { 'grpc-timeout': '1S' } }),
      it.api.who({}, { metadata: { 'bad key': 'x' } }),
      it.api.stream({}, { timeoutMs: -1 })[Symbol.asyncIterator]().next(),
      it.api
        .stream({}, { metadata: { ':path': 'x' } })
        [Symbol.asyncIterator]()
        .next(),
    ];
    for (const result of await Promise.allSettled(calls)) assert.equal(result.status, 'rejected');
    assert.deepEqual(it.calls, []);
  });

  test('without a resolver and a target a call says what is missing', async () => {
    await using client = new Client();
    const error = await failure(client.service(Fleet).who({}));
    assert.equal(error.code, Status.FAILED_PRECONDITION);
    assert.match(error.message, /neither a resolver nor a target/);
    assert.equal(error.maybeExecuted, false);
  });

  test('a call’s own target goes before the resolver, which is not asked', async () => {
    await using it = await fleet(['127.0.0.1:1', '127.0.0.1:2']);
    assert.deepEqual(await it.api.who({}, { target: '127.0.0.1:2' }), { address: '127.0.0.1:2' });
    assert.deepEqual(it.resolver.watches, []);
  });

  test('a target that is no address is an error that shows it', async () => {
    await using client = new Client();
    const error = await failure(client.service(Fleet).who({}, { target: 'nowhere' }));
    assert.equal(error.code, Status.INVALID_ARGUMENT);
    assert.match(error.message, /"nowhere"/);
  });
});
