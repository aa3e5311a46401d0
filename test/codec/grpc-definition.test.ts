import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { loadSync } from '@grpc/proto-loader';
import { fromGrpcDefinition, type GrpcDefinition, isGrpcDefinition } from '../../codec/grpc-definition.js';
import { protobuf } from '../../codec/protobuf.js';
import { defineService, unary } from '../../rpc/service.js';
import type { Implementation, ServiceClient } from '../../rpc/signature.js';
import { Status } from '../../rpc/status.js';
import { hasCode } from '../contract/serialization.js';
import { folderWith } from './proto-text.js';

type Hello = { msg: string };
const serialize = (message: Hello): Buffer => Buffer.from(message.msg);
const deserialize = (bytes: Buffer): Hello => ({ msg: bytes.toString() });
const serializers = {
  requestSerialize: serialize,
  requestDeserialize: deserialize,
  responseSerialize: serialize,
  responseDeserialize: deserialize,
};

/** As ts-proto writes it. */
const GreeterService = {
  sayHello: {
    path: '/helloworld.Greeter/SayHello' as const,
    requestStream: false as const,
    responseStream: false as const,
    ...serializers,
  },
  listen: {
    path: '/helloworld.Greeter/Listen' as const,
    requestStream: false as const,
    responseStream: true as const,
    ...serializers,
  },
  tell: {
    path: '/helloworld.Greeter/Tell' as const,
    requestStream: true as const,
    responseStream: false as const,
    ...serializers,
  },
  chat: {
    path: '/helloworld.Greeter/Chat' as const,
    requestStream: true as const,
    responseStream: true as const,
    ...serializers,
  },
} as const;

describe('a service from a gRPC definition', () => {
  test('takes its name, paths and kinds from the definition', () => {
    const { name, methods, serialization } = fromGrpcDefinition(GreeterService);
    assert.equal(name, 'helloworld.Greeter');
    assert.equal(serialization, 'protobuf');
    assert.deepEqual(
      Object.entries(methods).map(([key, { path, kind }]) => [key, path, kind]),
      [
        ['sayHello', '/helloworld.Greeter/SayHello', 'unary'],
        ['listen', '/helloworld.Greeter/Listen', 'serverStream'],
        ['tell', '/helloworld.Greeter/Tell', 'clientStream'],
        ['chat', '/helloworld.Greeter/Chat', 'bidi'],
      ],
    );
  });

  test('types its calls by the literal kinds of the definition', () => {
    const service = fromGrpcDefinition(GreeterService);
    type Client = ServiceClient<typeof service.methods>;
    const calls = (client: Client, requests: AsyncIterable<Hello>) => {
      const reply: Promise<Hello> = client.sayHello({ msg: 'a' });
      const replies: AsyncIterable<Hello> = client.listen({ msg: 'a' });
      const told: Promise<Hello> = client.tell(requests);
      const chat: AsyncIterable<Hello> = client.chat(requests);
      // @ts-expect-error a number is no text
      void client.sayHello({ msg: 1 });
      return [reply, replies, told, chat];
    };
    const implementation: Pick<Implementation<typeof service.methods>, 'sayHello'> = {
      sayHello: ({ msg }) => ({ msg }),
    };
    assert.equal(typeof calls, 'function');
    assert.equal(typeof implementation.sayHello, 'function');
  });

  test('encodes and decodes with the functions of the definition', () => {
    const { sayHello } = fromGrpcDefinition(GreeterService).methods;
    const codec = protobuf.codecFor(sayHello.request);
    assert.deepEqual(codec.decode(new TextEncoder().encode('hi')), { msg: 'hi' });
    assert.equal(Buffer.from(codec.encode({ msg: 'hi' })).toString(), 'hi');
    assert.throws(
      () => codec.encode({}),
      hasCode(Status.INVALID_ARGUMENT, 'helloworld.Greeter.SayHello request: '),
    );
  });

  test('takes what @grpc/proto-loader loads', () => {
    const folder = folderWith({
      'hello.proto':
        'syntax = "proto3"; package h; message M { string msg = 1; } service G { rpc SayHello(M) returns (stream M); }',
    });
    const definition = loadSync(join(folder, 'hello.proto'))['h.G'];
    assert.ok(isGrpcDefinition(definition));
    const { name, methods } = fromGrpcDefinition(definition as GrpcDefinition);
    const { sayHello } = methods;
    assert.equal(name, 'h.G');
    assert.equal(sayHello?.kind, 'serverStream');
    const codec = protobuf.codecFor(sayHello.reply);
    assert.equal(Buffer.from(codec.encode({ msg: 'a' })).toString('hex'), '0a0161');
    assert.equal((codec.decode(Buffer.from('0a0161', 'hex')) as Hello).msg, 'a');
    assert.throws(
      () => codec.decode(Buffer.from('0f', 'hex')),
      hasCode(Status.INTERNAL, 'malformed protobuf'),
    );
  });

  test('prices messages where @grpc/proto-loader has brought descriptors', () => {
    const folder = folderWith({
      'many.proto':
        'syntax = "proto3"; package h; message E {} message M { repeated E many = 1; string text = 2; } service G { rpc Call(M) returns (E); }',
    });
    const definition = loadSync(join(folder, 'many.proto'))['h.G'] as GrpcDefinition;
    const { call } = fromGrpcDefinition(definition).methods;
    const codec = protobuf.codecFor(call!.request);
    const limit = { bytes: 100_000, side: 'server' } as const;
    assert.throws(
      () => codec.decodeWithin!(Buffer.alloc(10_000, Buffer.from('0a00', 'hex')), limit),
      hasCode(Status.RESOURCE_EXHAUSTED, 'h.G.Call request: a message of 10000 bytes would take'),
    );
    const text = codec.encode({ text: 'a'.repeat(10_000) });
    assert.equal((codec.decodeWithin!(text, limit) as { text: string }).text.length, 10_000);
  });

  test('leaves messages of generated code to that code, which brings no descriptors', () => {
    const codec = protobuf.codecFor(fromGrpcDefinition(GreeterService).methods.sayHello.request);
    const limit = { bytes: 1, side: 'client' } as const;
    assert.deepEqual(codec.decodeWithin!(Buffer.alloc(5_000, 'a'), limit), { msg: 'a'.repeat(5_000) });
  });

  test('is told from other values', () => {
    assert.ok(isGrpcDefinition(GreeterService));
    const own = defineService('a.B', { c: unary() });
    for (const value of [undefined, null, 'x', {}, [], own, { a: { path: '/a/b' } }])
      assert.ok(!isGrpcDefinition(value));
  });

  test('is refused when its paths are no paths or of two services', () => {
    const { sayHello } = GreeterService;
    const other = { ...sayHello, path: '/other.Greeter/SayHello' };
    assert.throws(
      () => fromGrpcDefinition({ sayHello, other }),
      hasCode(Status.INVALID_ARGUMENT, 'not a method of helloworld.Greeter'),
    );
    const wrong = { ...sayHello, path: 'SayHello' };
    assert.throws(
      () => fromGrpcDefinition({ wrong }),
      hasCode(Status.INVALID_ARGUMENT, 'wrong: the path "SayHello" is not /service/method'),
    );
    assert.throws(
      () => fromGrpcDefinition({} as never),
      hasCode(Status.INVALID_ARGUMENT, 'not a gRPC service definition'),
    );
  });
});
