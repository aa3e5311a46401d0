import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bidi, clientStream, defineService, keyOf, serverStream, unary } from '../../rpc/service.js';
import { Status } from '../../rpc/status.js';

describe('a service defined in TypeScript', () => {
  test('has names, paths and kinds as data', () => {
    const service = defineService('shop.Orders', {
      find: unary(),
      list: serverStream({ idempotent: true }),
      add: clientStream({ name: 'add_all' }),
      talk: bidi({ request: { name: 'Q' }, reply: { name: 'R' } }),
    });
    assert.equal(service.name, 'shop.Orders');
    assert.equal(service.serialization, 'json');
    assert.deepEqual(
      Object.entries(service.methods).map(([key, m]) => [key, m.name, m.path, m.kind, m.idempotent]),
      [
        ['find', 'Find', '/shop.Orders/Find', 'unary', false],
        ['list', 'List', '/shop.Orders/List', 'serverStream', true],
        ['add', 'add_all', '/shop.Orders/add_all', 'clientStream', false],
        ['talk', 'Talk', '/shop.Orders/Talk', 'bidi', false],
      ],
    );
    assert.equal(service.methods.find.request.name, 'shop.Orders.Find request');
    assert.deepEqual(service.methods.talk.reply, { name: 'R' });
    assert.equal(defineService('A', {}, { serialization: 'msgpack' }).serialization, 'msgpack');
  });

  test('bad names are refused', () => {
    for (const name of ['', '../a', 'a/b', 'a..b', 'a.'])
      assert.throws(() => defineService(name, {}), { code: Status.INVALID_ARGUMENT }, name);
    for (const name of ['', '1a', 'a b', 'a/b', 'a.b', 'a-b', 'ä', 'n'.repeat(129)])
      assert.throws(() => defineService('A', { m: unary({ name }) }), {
        code: Status.INVALID_ARGUMENT,
        message: /method name/,
      });
  });

  test('two methods cannot have one name on the wire', () => {
    assert.throws(() => defineService('A', { get: unary(), Get: unary() }), {
      message: /two methods are named Get/,
    });
  });

  test('names of Object.prototype are methods like others', () => {
    const keys = ['constructor', 'toString', '__proto__', 'hasOwnProperty'];
    const specs = Object.fromEntries(keys.map((key) => [key, unary()]));
    assert.deepEqual(Object.keys(defineService('A', specs).methods), keys);
  });

  test('the key of a wire name begins with a small letter', () => {
    assert.equal(keyOf('SayHello'), 'sayHello');
    assert.equal(keyOf('x'), 'x');
  });
});
