import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressPolicy } from '../../plugin/consul/address-policy.js';
import {
  checkPrefix,
  entryReader,
  folderOf,
  formatEntry,
  MAX_ENTRY_BYTES,
  parseEntry,
} from '../../plugin/consul/entry.js';
import { MAX_NODES } from '../../plugin/node-data.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { Node } from '../../selector/node.js';
import { recordingLogger } from './log.js';

const parse = (text: string) => parseEntry(Buffer.from(text));
const entry = (key: string, value: string | Buffer) => ({ key: `Greeter/${key}`, value: Buffer.from(value) });
const meta = fc.dictionary(
  fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString')),
  fc.string(),
);
const described = fc.record({
  address: fc.constantFrom('127.0.0.1:1', 'host.example:65535', '[::1]:8000', '[fe80::1%eth0]:80'),
  weight: fc.option(fc.double({ min: 0, max: 1_000, noNaN: true }), { nil: undefined }),
  zone: fc.option(fc.string(), { nil: undefined }),
  tags: fc.option(fc.array(fc.string(), { maxLength: 5 }), { nil: undefined }),
  meta: fc.option(meta, { nil: undefined }),
});
const plain = (node: Node) => ({
  ...node,
  weight: node.weight + 0,
  tags: [...node.tags],
  meta: Object.entries(node.meta),
});

test('what is written is read back', () => {
  fc.assert(
    fc.property(described, (init) => {
      const node = parse(formatEntry(init).value);
      assert.deepEqual(plain(node), {
        address: init.address,
        weight: (init.weight ?? 1) + 0,
        ...(init.zone === undefined ? {} : { zone: init.zone }),
        tags: init.tags ?? [],
        meta: Object.entries(init.meta ?? {}),
      });
    }),
  );
});

test('an address with nothing more to say is written as it is, for readers that know no more', () => {
  assert.equal(
    formatEntry({ address: '127.0.0.1:8000', weight: 1, tags: [], meta: {} }).value,
    '127.0.0.1:8000',
  );
});

test('B1: whatever is in the store, reading gives a node that can be called or a plain refusal', () => {
  const texts = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.string().map((text) => Buffer.from(text)),
    fc.json().map((text) => Buffer.from(text)),
    fc
      .record({
        address: fc.anything(),
        weight: fc.anything(),
        zone: fc.anything(),
        tags: fc.anything(),
        meta: fc.anything(),
      })
      .map((value) => {
        try {
          return Buffer.from(JSON.stringify({ ...value, address: '127.0.0.1:80' }));
        } catch {
          return Buffer.from('{}');
        }
      }),
  );
  fc.assert(
    fc.property(texts, (bytes) => {
      try {
        const node = parseEntry(bytes);
        assert.match(node.address, /:[1-9]\d*$/);
        assert.ok(node.weight >= 0 && node.weight <= 1_000);
        assert.ok(node.tags.every((tag) => typeof tag === 'string'));
        assert.ok(Object.values(node.meta).every((value) => typeof value === 'string'));
      } catch (error) {
        assert.ok(error instanceof RpcError || error instanceof SyntaxError, String(error));
      }
      assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    }),
  );
});

test('B2: addresses that cannot be called are refused', () => {
  const bad = [
    '',
    ' ',
    'a',
    '127.0.0.1',
    '127.0.0.1:0',
    '127.0.0.1:-1',
    '127.0.0.1:65536',
    '127.0.0.1:80abc',
    '127.0.0.1:NaN',
    'a:1e3',
  ];
  bad.push(
    ':80',
    'a b:80',
    '127.0.0.1:80\r\n',
    '127.0.0.1:80\n',
    'a\0:80',
    'http://a:80',
    'me@a:80',
    `${'a'.repeat(254)}:80`,
  );
  bad.push(
    '::1:80',
    '[]:80',
    '[::1',
    '[127.0.0.1]:80',
    '0.0.0.0:80',
    '[::]:80',
    '0:80',
    'unix:/tmp/x',
    '80',
    'null',
    '"127.0.0.1:80"',
  );
  bad.push(
    '[]',
    '{}',
    '{',
    '{"address":1}',
    '{"address":""}',
    '{"address":"a:0"}',
    '{"address":"a:1"}x',
    '{"address":"unix:/x"}',
  );
  for (const text of bad) assert.throws(() => parse(text), Error, JSON.stringify(text));
  assert.throws(() => parseEntry(Buffer.from([0xff, 0xfe])), /not UTF-8/);
  assert.throws(() => parse(`{"address":"a:1","more":${'['.repeat(10_000)}`));
  assert.throws(
    () => parse(JSON.stringify({ address: 'a:1', more: 'x'.repeat(MAX_ENTRY_BYTES) })),
    /longer than 16384 bytes/,
  );
});

test('B4: weights of any kind become one that a balancer can use', () => {
  const weights: [string, number][] = [
    ['0', 0],
    ['-5', 0],
    ['1e308', 1_000],
    ['1e999', 1],
    ['"7"', 1],
    ['null', 1],
    ['{}', 1],
    ['0.5', 0.5],
  ];
  for (const [text, weight] of weights)
    assert.equal(parse(`{"address":"a:1","weight":${text}}`).weight, weight, text);
});

test('B10: fields of a newer release are ignored, fields of a wrong type count as absent', () => {
  assert.deepEqual(parse('{"address":"a:1","future":{"x":[1]},"zone":7,"tags":"x","meta":[1]}'), {
    address: 'a:1',
    weight: 1,
    tags: [],
    meta: {},
  });
  const mixed = parse('{"address":"a:1","tags":["x",1,null],"meta":{"a":"b","c":1,"d":null}}');
  assert.deepEqual(mixed.tags, ['x']);
  assert.deepEqual({ ...mixed.meta }, { a: 'b' });
});

test('B6: __proto__ and constructor in meta are no more than keys', () => {
  const node = parse(
    '{"address":"a:1","meta":{"__proto__":"x","constructor":"y"},"__proto__":{"weight":0,"polluted":true}}',
  );
  assert.deepEqual(Object.entries(node.meta), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
  assert.equal(node.weight, 1);
  assert.equal(parse('{"address":"a:1","meta":{"a":"b"}}').meta.toString, undefined);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

test('B1: a bad entry is told once for each content, shown cut short, and the others are used', () => {
  const logger = recordingLogger();
  const read = entryReader('Greeter/', logger);
  const good = entry('127.0.0.1:1', '127.0.0.1:1');
  const listing = [entry('', ''), entry('bad', `no address ${'x'.repeat(1_000)}`), good];
  for (let poll = 0; poll < 5; poll++)
    assert.deepEqual(
      read(listing).map((node) => node.address),
      ['127.0.0.1:1'],
    );
  assert.equal(logger.lines.length, 1);
  assert.equal(logger.lines[0]!.fields.key, 'Greeter/bad');
  assert.ok(String(logger.lines[0]!.fields.value).startsWith('"no address xxx'));
  assert.ok(String(logger.lines[0]!.fields.value).length < 80);
  read([entry('bad', 'something else'), good]);
  assert.equal(logger.lines.length, 2);
});

test('B7: a flood of bad entries is told in a few lines', () => {
  const logger = recordingLogger();
  const read = entryReader('Greeter/', logger);
  const flood = Array.from({ length: 5_000 }, (_, i) => entry(`bad${i}`, 'x'));
  assert.deepEqual(read(flood), []);
  read(flood);
  assert.equal(logger.lines.length, 21);
  assert.equal(logger.lines[20]!.fields.count, 4_980);
});

test('B7: at most 10,000 nodes are used, which is told once', () => {
  const logger = recordingLogger();
  const read = entryReader('Greeter/', logger);
  const many = Array.from({ length: MAX_NODES + 5 }, (_, i) => entry(`${i}`, `10.0.${i >> 8}.${i & 255}:80`));
  assert.equal(read(many).length, MAX_NODES);
  assert.equal(read(many).length, MAX_NODES);
  assert.equal(logger.lines.length, 1);
});

test('W6, B5: one address under two keys is one node, and the order of keys does not matter', () => {
  const read = entryReader('Greeter/', recordingLogger());
  const [a, b] = [entry('1', '{"address":"a:1","weight":3}'), entry('2', '{"address":"a:1","weight":4}')];
  assert.deepEqual(
    read([a, b]).map((node) => node.weight),
    [3],
  );
  assert.deepEqual(
    read([b]).map((node) => node.weight),
    [4],
  );
  const [x, y] = [entry('x', 'x:1'), entry('y', 'y:1')];
  assert.deepEqual(read([x, y]), read([y, x]));
});

test('R1: a prefix that Consul would redirect or refuse is refused', () => {
  for (const prefix of ['', 'a/', 'a/b/', 'ä ?#%/', 'a.b/']) assert.equal(checkPrefix(prefix), prefix);
  for (const prefix of [
    '/',
    '/a/',
    'a',
    'a//',
    'a//b/',
    '../',
    'a/../',
    './',
    'a/./b/',
    'a\n/',
    'a\0/',
    'a\x7f/',
    `${'a'.repeat(256)}/`,
  ]) {
    assert.throws(() => checkPrefix(prefix), { code: Status.INVALID_ARGUMENT }, JSON.stringify(prefix));
  }
});

test('R1: the folder of any accepted name stays itself as the path of a URL', () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 30 }),
      fc.constantFrom('', 'a/', 'services/eu/'),
      (service, prefix) => {
        let folder: string;
        try {
          folder = folderOf(prefix, service);
        } catch {
          return;
        }
        assert.equal(new URL(`http://h/v1/kv/${folder}`).pathname, `/v1/kv/${prefix}${service}/`);
      },
    ),
  );
});

test('an entry too large to be read is not written', () => {
  const meta = { notes: 'x'.repeat(MAX_ENTRY_BYTES) };
  assert.throws(() => formatEntry({ address: '127.0.0.1:1', meta }), { code: Status.INVALID_ARGUMENT });
});

test('B3: an address that is no server of anybody is not called, unless the policy allows it', () => {
  const usable = (allow: readonly string[] | undefined, ...addresses: string[]) => {
    const read = entryReader('Greeter/', recordingLogger(), addressPolicy(allow));
    return read(addresses.map((address) => ({ key: `Greeter/${address}`, value: Buffer.from(address) })))
      .map(({ address }) => address)
      .sort();
  };
  const denied = [
    '169.254.169.254:80',
    '224.0.0.1:80',
    '255.255.255.255:80',
    '0.1.2.3:80',
    '[fe80::1]:80',
    '[fe80::1%eth0]:80',
    '[ff02::1]:80',
    '[::ffff:169.254.169.254]:80',
    '[::ffff:a9fe:a9fe]:80',
  ];
  const disguised = ['2852039166:80', '0xA9FEA9FE:80', '169.254.43518:80', '0xa9.0xfe.0xa9.0xfe:80'];
  const open = [
    '127.0.0.1:80',
    '10.1.2.3:80',
    '[::1]:80',
    '[2001:db8::1]:80',
    'greeter.internal:80',
    'a1.b2:80',
  ];
  assert.deepEqual(usable(undefined, ...denied, ...disguised, ...open), [...open].sort());
  assert.deepEqual(usable(['10.0.0.0/8', '*.internal'], ...denied, ...disguised, ...open), [
    '10.1.2.3:80',
    'greeter.internal:80',
  ]);
  assert.deepEqual(usable(['169.254.169.254', '2001:db8::/32', 'A1.B2'], ...denied, ...disguised, ...open), [
    '169.254.169.254:80',
    '[2001:db8::1]:80',
    '[::ffff:169.254.169.254]:80',
    '[::ffff:a9fe:a9fe]:80',
    'a1.b2:80',
  ]);
  for (const bad of ['10.0.0.0/33', '::/129', 'a b', '10.0.0', 'fe80::1%eth0', '', 'http://x', '10.0.0.0/x'])
    assert.throws(() => addressPolicy([bad]), {
      code: Status.INVALID_ARGUMENT,
      message: new RegExp(`addressPolicy.*${JSON.stringify(bad).slice(0, 8)}`),
    });
});

test('B3: a refused address is told with what would allow it', () => {
  const logger = recordingLogger();
  entryReader('Greeter/', logger)([{ key: 'Greeter/x', value: Buffer.from('169.254.169.254:80') }]);
  assert.match(String(logger.lines[0]!.fields.reason), /169\.254\.169\.254:80.*addressPolicy/);
});
