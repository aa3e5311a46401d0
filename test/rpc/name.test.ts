import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkServiceName, isServiceName } from '../../rpc/name.js';
import { Status } from '../../rpc/status.js';

for (const name of ['a', 'helloworld.Greeter', 'grpc.health.v1.Health', 'a-b_c.D9', 'A_', 'n'.repeat(128)]) {
  test(`${name.slice(0, 40)} is a name`, () => assert.equal(checkServiceName(name), name));
}

const bad = [
  ...[
    '',
    ' ',
    '.',
    '..',
    '../',
    'a/../b',
    'a..b',
    '..a',
    'a..',
    '.a',
    '-a',
    '_a',
    'a.',
    'a-',
    'a ',
    ' a',
    'a\n',
  ],
  ...[
    '%2e',
    '%2e%2e',
    'a%2Fb',
    'a/b',
    '/a',
    'a/',
    'a//b',
    '//',
    'a\\b',
    '*',
    'a*',
    'a?b',
    'a#b',
    'a:b',
    'a;b',
  ],
  ...['a\0', '\0', 'a\r\nb', 'a\tb', 'ａ', 'аpple', 'a\u200bb', 'a\u202eb', 'a․b', 'a‥b', 'ä', '😀'],
  ...['n'.repeat(129), 'n'.repeat(5_000)],
];

for (const name of bad) {
  test(`${JSON.stringify(name.slice(0, 40))} is no name`, () => {
    assert.equal(isServiceName(name), false);
    assert.throws(
      () => checkServiceName(name),
      (error: Error & { code?: number }) =>
        error.code === Status.INVALID_ARGUMENT &&
        error.message.includes(JSON.stringify(name.slice(0, 128))) &&
        error.message.length < 1_000,
    );
  });
}

test('names of Object.prototype are names like others', () => {
  for (const name of ['constructor', 'toString', 'hasOwnProperty']) assert.ok(isServiceName(name));
  assert.equal(isServiceName('__proto__'), false);
});

test('what is not a text is no name', () => {
  for (const value of [undefined, null, 1, {}, ['a'], { toString: () => 'a' }])
    assert.throws(() => checkServiceName(value as never), { code: Status.INVALID_ARGUMENT });
});

test('in a URL a name stays the one segment that it is', () => {
  const piece = fc.constantFrom(
    'a',
    'B',
    '.',
    '..',
    '-',
    '_',
    '/',
    '%2e',
    '%',
    ' ',
    '*',
    '\0',
    '\\',
    '?',
    '#',
    'é',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const name = pieces.join('');
      if (isServiceName(name))
        assert.equal(new URL(`http://host/v1/kv/prefix/${name}/x`).pathname, `/v1/kv/prefix/${name}/x`);
    }),
    { numRuns: 2_000 },
  );
});
