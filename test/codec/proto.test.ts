import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { loadProto } from '../../codec/proto.js';
import type { CallOptions } from '../../rpc/call.js';
import type { DynamicReply, ServiceClient } from '../../rpc/signature.js';
import { Status } from '../../rpc/status.js';
import { hasCode } from '../contract/serialization.js';
import { folderWith } from './proto-text.js';

const HELLO = `syntax = "proto3";
package helloworld;
import "common/text.proto";
service Greeter {
  rpc SayHello(common.Text) returns (common.Text) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Store(common.Text) returns (common.Text) { option idempotency_level = IDEMPOTENT; }
  rpc Listen(common.Text) returns (stream common.Text);
  rpc Tell(stream common.Text) returns (common.Text);
  rpc Chat(stream common.Text) returns (stream common.Text);
}`;
const TEXT = 'syntax = "proto3";\npackage common;\nmessage Text { string msg = 1; }\nservice Texts {}';

const load = (files: Record<string, string>, name = 'main.proto', includeDirs: string[] = []) => {
  const folder = folderWith(files);
  return loadProto(
    join(folder, name),
    includeDirs.length > 0 ? { includeDirs: includeDirs.map((dir) => join(folder, dir)) } : {},
  );
};

describe('loadProto', () => {
  test('gives the services of a file and of its imports', () => {
    const proto = load({ 'main.proto': HELLO, 'common/text.proto': TEXT });
    assert.deepEqual(proto.services.toSorted(), ['common.Texts', 'helloworld.Greeter']);
  });

  test('gives methods their wire names, paths, kinds and idempotency', () => {
    const { name, methods, serialization } = load({ 'main.proto': HELLO, 'common/text.proto': TEXT }).service(
      'helloworld.Greeter',
    );
    assert.equal(name, 'helloworld.Greeter');
    assert.equal(serialization, 'protobuf');
    assert.deepEqual(
      Object.entries(methods).map(([key, method]) => [key, method.path, method.kind, method.idempotent]),
      [
        ['sayHello', '/helloworld.Greeter/SayHello', 'unary', true],
        ['store', '/helloworld.Greeter/Store', 'unary', true],
        ['listen', '/helloworld.Greeter/Listen', 'serverStream', false],
        ['tell', '/helloworld.Greeter/Tell', 'clientStream', false],
        ['chat', '/helloworld.Greeter/Chat', 'bidi', false],
      ],
    );
    assert.equal(methods.sayHello!.request.name, 'common.Text');
  });

  test('types its methods as ones whose kind is known at run time', () => {
    type Client = ServiceClient<ReturnType<ReturnType<typeof loadProto>['service']>['methods']>;
    type Message = Record<string, unknown>;
    const use = (client: Client): ((request: Message, options?: CallOptions) => DynamicReply<Message>) =>
      client.sayHello!;
    assert.equal(typeof use, 'function');
  });

  test('finds imports in the included folders, beside the importing file, and the well-known ones', () => {
    const main = HELLO.replace('common/text.proto', 'text.proto');
    const text = TEXT.replace(
      'package common;',
      'package common; import "google/protobuf/any.proto"; import "google/protobuf/type.proto";',
    );
    assert.equal(
      load({ 'main.proto': main, 'inc/text.proto': text }, 'main.proto', ['inc']).services.length,
      2,
    );
    assert.equal(
      load({ 'main.proto': main, 'text.proto': text, 'inc/other.proto': '' }, 'main.proto', ['inc']).services
        .length,
      2,
    );
  });

  test('reads several files, and one that two of them import only once', () => {
    const folder = folderWith({
      'a.proto': HELLO,
      'b.proto': HELLO.replace('package helloworld', 'package b'),
      'common/text.proto': TEXT,
    });
    const proto = loadProto([join(folder, 'a.proto'), join(folder, 'b.proto')]);
    assert.deepEqual(proto.services.toSorted(), ['b.Greeter', 'common.Texts', 'helloworld.Greeter']);
  });

  test('says which services there are when asked for another', () => {
    const proto = load({ 'main.proto': HELLO, 'common/text.proto': TEXT });
    for (const name of ['Greeter', 'common.Text', 'toString']) {
      assert.throws(
        () => proto.service(name),
        hasCode(Status.INVALID_ARGUMENT, `there is no service "${name}"; there are: `),
      );
    }
  });

  test('says which file is missing', () => {
    assert.throws(
      () => loadProto('nowhere/a.proto'),
      hasCode(Status.INVALID_ARGUMENT, 'nowhere/a.proto: there is no such file'),
    );
    assert.throws(
      () => loadProto('https://example.com/a.proto'),
      hasCode(Status.INVALID_ARGUMENT, 'there is no such file'),
    );
    assert.throws(() => loadProto(folderWith({})), hasCode(Status.INVALID_ARGUMENT, 'is a folder'));
  });

  test('says which import is missing, where it is asked for, and where it was looked for', () => {
    assert.throws(
      () => load({ 'main.proto': HELLO }),
      hasCode(
        Status.INVALID_ARGUMENT,
        /main\.proto:3: import "common\/text\.proto" was not found in \/.*; include the folder it is in$/,
      ),
    );
  });

  test('says where the syntax is wrong', () => {
    const wrong: [string, RegExp][] = [
      ['syntax = "proto3";\n\nmessage M {\n  string = 1;\n}', /main\.proto:4: illegal name '='$/],
      ['syntax = "proto3";\nmessage M { string a = 1 }\n', /main\.proto:2: illegal token '}', ';' expected$/],
      ['syntax = "proto4";\nmessage M {}', /main\.proto: Unknown edition: proto4$/],
      ['syntax = "proto3";\nmessage M {', /main\.proto(:\d)?: /],
      [
        'syntax = "proto3";\nmessage M { string a = 1; int32 b = 1; }',
        /main\.proto: duplicate id 1 in Type M$/,
      ],
    ];
    for (const [text, error] of wrong) {
      assert.throws(() => load({ 'main.proto': text }), hasCode(Status.INVALID_ARGUMENT, error), text);
    }
  });

  test('names a type that no file declares, and a name that two files declare', () => {
    const unknown = 'syntax = "proto3";\nmessage M { Nothing a = 1; }';
    assert.throws(
      () => load({ 'main.proto': unknown }),
      hasCode(Status.INVALID_ARGUMENT, /main\.proto: no such .*Nothing/),
    );
    const twice = { 'main.proto': `${TEXT}\nimport "b.proto";`, 'b.proto': TEXT };
    assert.throws(() => load(twice), hasCode(Status.INVALID_ARGUMENT, /main\.proto: duplicate name 'Text'/));
  });

  test('refuses files that import each other, and methods that would have one name', () => {
    const circle = {
      'main.proto': 'syntax = "proto3";\nimport "b.proto";',
      'b.proto': 'syntax = "proto3";\nimport "main.proto";',
    };
    assert.throws(
      () => load(circle),
      hasCode(Status.INVALID_ARGUMENT, /b\.proto:2: import "main\.proto" leads back to this file/),
    );
    const clash = TEXT.replace('{}', '{ rpc Get(Text) returns (Text); rpc get(Text) returns (Text); }');
    const proto = load({ 'main.proto': clash });
    assert.throws(
      () => proto.service('common.Texts'),
      hasCode(Status.INVALID_ARGUMENT, 'common.Texts: get and Get would both be get'),
    );
  });
});
