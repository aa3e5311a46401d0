import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, parseAddress } from '../../rpc/address.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';

const good: Readonly<Record<string, unknown>> = {
  '127.0.0.1:8000': { kind: 'tcp', host: '127.0.0.1', port: 8000 },
  'localhost:0': { kind: 'tcp', host: 'localhost', port: 0 },
  'db_1.eu-west.example:65535': { kind: 'tcp', host: 'db_1.eu-west.example', port: 65535 },
  '[::1]:80': { kind: 'tcp', host: '::1', port: 80 },
  '[::]:80': { kind: 'tcp', host: '::', port: 80 },
  '[fe80::1%eth0]:80': { kind: 'tcp', host: 'fe80::1%eth0', port: 80 },
  '[::ffff:10.0.0.1]:80': { kind: 'tcp', host: '::ffff:10.0.0.1', port: 80 },
  [`${'h'.repeat(253)}:1`]: { kind: 'tcp', host: 'h'.repeat(253), port: 1 },
  'unix:/run/a b.sock': { kind: 'unix', path: '/run/a b.sock' },
  'unix:relative:80': { kind: 'unix', path: 'relative:80' },
  [`unix:${'p'.repeat(107)}`]: { kind: 'unix', path: 'p'.repeat(107) },
};

for (const [text, address] of Object.entries(good)) {
  test(`${text.slice(0, 40)} is an address`, () => {
    assert.deepEqual(parseAddress(text), address);
    assert.equal(formatAddress(parseAddress(text)), text);
  });
}

test('a port keeps no leading zeros, so that one address is one text', () => {
  assert.equal(formatAddress(parseAddress('a:00080')), 'a:80');
});

const bad = [
  ...['', ':', 'a', 'a:', ':80', ' :80', 'a:-1', 'a:65536', 'a:80abc', 'a:NaN', 'a:1e3', 'a:0x50', 'a:8.0'],
  ...['a:+80', 'a: 80', 'a:80 ', 'a:80\n', 'a:080000', 'a:８０', 'a b:80', 'a\r\nb:80', 'a\0:80', '\ta:80'],
  ...[
    'http://a:80',
    'dns:///a:80',
    'user@a:80',
    'u:p@a:80',
    'a/b:80',
    'a?b:80',
    'a#b:80',
    'a%2e:80',
    '-a:80',
  ],
  ...['a-:80', '.a:80', 'a..b:80', 'ex\u0430mple:80', '::1:80', '2001:db8::1:80', '[::1]', '[::1', '::1]:80'],
  ...['[]:80', '[:]:80', '[::1]80', '[127.0.0.1]:80', '[a]:80', '[1:2]:80', '[:::]:80', '[1::2::3]:80'],
  ...['[::1%]:80', '[::1%a b]:80', '[::1%\n]:80', '[1:2:3:4:5:6:7:8:9]:80', `${'h'.repeat(254)}:1`],
  ...['unix:', 'unix:/a\0b', 'unix:/a\nb', `unix:${'p'.repeat(108)}`, `unix:${'ä'.repeat(54)}`],
];

for (const text of bad) {
  test(`${JSON.stringify(text.slice(0, 40))} is no address`, () => {
    assert.throws(
      () => parseAddress(text),
      (error) =>
        error instanceof RpcError &&
        error.code === Status.INVALID_ARGUMENT &&
        error.message.includes(JSON.stringify(text.slice(0, 128))),
    );
  });
}

test('what is not a text is no address', () => {
  for (const value of [undefined, null, 80, {}, ['a:80']])
    assert.throws(() => parseAddress(value as never), { code: Status.INVALID_ARGUMENT });
});

test('any text either parses to what formats to an equal address, or is refused', () => {
  const part = fc.constantFrom(
    'a',
    '1',
    ':',
    '[',
    ']',
    '.',
    '-',
    '%',
    '::',
    'unix:',
    '/',
    '0',
    '80',
    ' ',
    '\n',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(part).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (text) => {
      let address: ReturnType<typeof parseAddress>;
      try {
        address = parseAddress(text);
      } catch (error) {
        assert.ok(error instanceof RpcError);
        return;
      }
      assert.deepEqual(parseAddress(formatAddress(address)), address);
    }),
    { numRuns: 2_000 },
  );
});

test('every host and port round-trips', () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  fc.assert(
    fc.property(host, fc.nat(65_535), (host, port) => {
      const address = { kind: 'tcp', host, port } as const;
      assert.deepEqual(parseAddress(formatAddress(address)), address);
    }),
  );
});

test('long hostile texts are refused at once', () => {
  for (const piece of ['a.', 'a-', '[', ':', '%', 'a', '1.'])
    assert.throws(() => parseAddress(`${piece.repeat(50_000)}!:80`), { code: Status.INVALID_ARGUMENT });
});
