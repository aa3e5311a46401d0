import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { json } from '../../codec/json.js';
import { protobuf } from '../../codec/protobuf.js';
import type { MessageType } from '../../rpc/service.js';
import { Status } from '../../rpc/status.js';
import { hasCode } from '../contract/serialization.js';
import { typeM } from './proto-text.js';

const wire = (type: MessageType) => {
  const codec = protobuf.codecFor(type);
  return {
    write: (message: unknown) => Buffer.from(codec.encode(message)).toString('hex'),
    read: (hex: string) => codec.decode(Buffer.from(hex, 'hex')) as Record<string, unknown>,
    again: (message: unknown) => codec.decode(codec.encode(message)) as Record<string, unknown>,
  };
};

const scalars = typeM(`message M {
  double d = 1; float f = 2; int32 i32 = 3; int64 i64 = 4; uint32 u32 = 5; uint64 u64 = 6; sint32 s32 = 7; sint64 s64 = 8;
  fixed32 f32 = 9; fixed64 f64 = 10; sfixed32 sf32 = 11; sfixed64 sf64 = 12; bool b = 13; string s = 14; bytes by = 15;
}`);
const shapes = typeM(`
  enum Color { COLOR_UNSPECIFIED = 0; RED = 1; BLUE = 5; }
  message Inner { string id = 1; int64 n = 2; M deep = 3; }
  message M {
    Inner inner = 1; repeated Inner many = 2; map<string, Inner> by_name = 3; Color color = 4; repeated Color colors = 5;
    oneof choice { string text = 6; Inner other = 7; int64 number = 8; }
    optional string note = 9; map<int64, int32> counts = 10; repeated int64 longs = 11; map<string, Color> hues = 12;
    map<bool, string> flags = 13; repeated int32 ints = 14;
  }`);
const EMPTY_SHAPES = {
  inner: null,
  many: [],
  byName: {},
  color: 0,
  colors: [],
  counts: {},
  longs: [],
  hues: {},
  flags: {},
  ints: [],
};

describe('protobuf on the wire', () => {
  // The examples of https://protobuf.dev/programming-guides/encoding/
  test('is as the encoding guide has it', () => {
    assert.equal(wire(typeM('message M { int32 a = 1; }')).write({ a: 150 }), '089601');
    assert.equal(wire(typeM('message M { string b = 2; }')).write({ b: 'testing' }), '120774657374696e67');
    const nested = wire(typeM('message T { int32 a = 1; } message M { T c = 3; }'));
    assert.equal(nested.write({ c: { a: 150 } }), '1a03089601');
    const packed = wire(typeM('message M { string d = 4; repeated int32 e = 6; }'));
    assert.equal(packed.write({ d: 'hello', e: [3, 270, 86942] }), '220568656c6c6f3206038e029ea705');
    assert.deepEqual(packed.read('3206038e029ea705'), { d: '', e: [3, 270, 86942] });
    assert.deepEqual(packed.read('3003308e02'), { d: '', e: [3, 270] });
  });

  const vectors: [Record<string, unknown>, string][] = [
    [{ d: 1.5 }, '09000000000000f83f'],
    [{ f: -2 }, '15000000c0'],
    [{ i32: -2 }, '18feffffffffffffffff01'],
    [{ i64: -2n }, '20feffffffffffffffff01'],
    [{ i64: 2n ** 63n - 1n }, '20ffffffffffffffff7f'],
    [{ u32: 2 ** 32 - 1 }, '28ffffffff0f'],
    [{ u64: 2n ** 64n - 1n }, '30ffffffffffffffffff01'],
    [{ s32: -1 }, '3801'],
    [{ s64: -(2n ** 63n) }, '40ffffffffffffffffff01'],
    [{ f32: 1 }, '4d01000000'],
    [{ f64: 2n ** 63n }, '510000000000000080'],
    [{ sf32: -1 }, '5dffffffff'],
    [{ sf64: -1n }, '61ffffffffffffffff'],
    [{ b: true }, '6801'],
    [{ s: 'é' }, '7202c3a9'],
  ];
  for (const [message, hex] of vectors) {
    const [[field, value]] = Object.entries(message) as [[string, unknown]];
    test(`writes and reads ${field}: ${String(value)}`, () => {
      assert.equal(wire(scalars).write(message), hex);
      assert.equal(wire(scalars).read(hex)[field], value);
    });
  }

  test('leaves defaults out and fills them in', () => {
    const zeros = {
      d: 0,
      f: 0,
      i32: 0,
      i64: 0n,
      u32: 0,
      u64: 0n,
      s32: 0,
      s64: 0n,
      f32: 0,
      f64: 0n,
      sf32: 0,
      sf64: 0n,
      b: false,
      s: '',
      by: Buffer.alloc(0),
    };
    assert.equal(wire(scalars).write(zeros), '');
    assert.deepEqual(wire(scalars).read(''), zeros);
    assert.deepEqual(wire(shapes).read(''), EMPTY_SHAPES);
  });

  test('gives back 64-bit integers exactly, up to their ends', () => {
    const message = fc.record({
      i64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      u64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      s64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      f64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      sf64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    });
    fc.assert(
      fc.property(message, (given) => {
        const read = wire(scalars).again(given);
        for (const [key, value] of Object.entries(given)) assert.equal(read[key], value);
      }),
    );
  });

  test('gives back messages in messages, lists, maps and oneofs', () => {
    const inner = { id: 'a', n: 2n ** 60n, deep: null };
    const message = {
      ...EMPTY_SHAPES,
      inner,
      many: [inner, { ...inner, id: 'b' }],
      byName: { x: inner, constructor: inner },
      color: 5,
      colors: [1, 0, 5],
      other: inner,
      note: '',
      counts: { '-9223372036854775808': 1 },
      longs: [1n, -1n],
      hues: { sky: 5 },
      flags: { true: 'yes' },
      ints: [1, -1],
    };
    assert.deepEqual(wire(shapes).again(message), message);
  });

  test('leaves out optional fields and oneof members that were not set, and keeps those set to the default', () => {
    assert.deepEqual(wire(shapes).again({ note: undefined, text: null }), EMPTY_SHAPES);
    assert.deepEqual(wire(shapes).again({ note: '', number: 0n }), { ...EMPTY_SHAPES, note: '', number: 0n });
  });

  test('takes enum names, in fields, lists and maps', () => {
    const read = wire(shapes).again({ color: 'BLUE', colors: ['RED', 0], hues: { sky: 'BLUE' } });
    assert.deepEqual(read, { ...EMPTY_SHAPES, color: 5, colors: [1, 0], hues: { sky: 5 } });
  });

  test('keeps enum numbers that the file does not have', () => {
    assert.equal(wire(shapes).again({ color: 77 }).color, 77);
  });

  test('takes a safe integer for a bigint', () => {
    assert.equal(wire(scalars).again({ i64: -5 }).i64, -5n);
  });

  test('does not change the message it writes', () => {
    const given = {
      color: 'RED',
      inner: { id: 'a', n: 5n },
      longs: [1n],
      many: [{ n: 1n }],
      hues: { a: 'RED' },
    };
    const copy = structuredClone(given);
    wire(shapes).write(given);
    assert.deepEqual(given, copy);
  });

  test('ignores fields it does not know', () => {
    assert.deepEqual(wire(typeM('message M { int32 a = 1; }')).read('089601d23e0461626364'), { a: 150 });
    assert.equal(wire(typeM('message M { int32 a = 1; }')).write({ a: 150, b: 'what' }), '089601');
  });

  test('knows which fields of proto2 and of editions were set', () => {
    for (const syntax of ['syntax = "proto2";', 'edition = "2023";']) {
      const optional = syntax.includes('proto2') ? 'optional' : '';
      const type = typeM(
        `message M { ${optional} int32 a = 1; ${optional} string b = 2 [default = "x"]; }`,
        syntax,
      );
      assert.deepEqual(wire(type).read(''), {});
      assert.deepEqual(wire(type).again({ a: 0, b: '' }), { a: 0, b: '' });
    }
  });
});

describe('protobuf refuses', () => {
  const refused: [string, unknown, string][] = [
    ['a message that is none', 'hello', 't.M: wanted an object, got the string "hello"'],
    ['an undefined message', undefined, 't.M: wanted an object, got undefined'],
    ['a number for a string', { s: 5 }, 't.M.s: wanted a string, got the number 5'],
    ['a string for a number', { i32: '5' }, 't.M.i32: wanted a whole number of 32 bits, got the string "5"'],
    ['a fraction', { i32: 1.5 }, 't.M.i32: wanted a whole number of 32 bits, got the number 1.5'],
    ['33 bits', { i32: 2 ** 31 }, 't.M.i32: wanted a whole number of 32 bits, got the number 2147483648'],
    [
      'a negative unsigned',
      { u32: -1 },
      't.M.u32: wanted a whole number of 32 bits, from 0, got the number -1',
    ],
    [
      '65 bits',
      { u64: 2n ** 64n },
      't.M.u64: wanted a bigint of 64 bits, from 0, got the bigint 18446744073709551616',
    ],
    [
      'a negative unsigned bigint',
      { f64: -1n },
      't.M.f64: wanted a bigint of 64 bits, from 0, got the bigint -1',
    ],
    [
      'an unsafe integer',
      { i64: 2 ** 60 },
      't.M.i64: wanted a bigint of 64 bits, got the number 1152921504606847000',
    ],
    ['a bigint for a double', { d: 1n }, 't.M.d: wanted a number, got the bigint 1'],
    ['a number for a boolean', { b: 1 }, 't.M.b: wanted a boolean, got the number 1'],
    ['text for bytes', { by: 'abc' }, 't.M.by: wanted a Uint8Array, got the string "abc"'],
    ['half a character', { s: '\ud800' }, 't.M.s: wanted a string without lone surrogates'],
  ];
  for (const [what, message, text] of refused) {
    test(`${what}`, () =>
      assert.throws(() => wire(scalars).write(message), hasCode(Status.INVALID_ARGUMENT, text)));
  }

  const refusedShapes: [string, unknown, string][] = [
    ['a message that is none in a field', { inner: 'x' }, 't.M.inner: wanted an object, got the string "x"'],
    [
      'a wrong value in a message in a list',
      { many: [{}, { id: 1 }] },
      't.Inner.id: wanted a string, got the number 1',
    ],
    ['an object for a list', { many: {} }, 't.M.many: wanted an array, got an object (Object)'],
    ['a hole in a list', { ints: [1, undefined] }, 't.M.ints[1]: wanted a value, got undefined'],
    ['an array for a map', { byName: [] }, 't.M.byName: wanted a plain object, got an array'],
    ['a Map for a map', { byName: new Map() }, 't.M.byName: wanted a plain object, got an object (Map)'],
    ['null in a map', { byName: { a: null } }, 't.M.byName["a"]: wanted a value, got null'],
    [
      'a key that is no number',
      { counts: { a: 1 } },
      't.M.counts key: wanted a whole number, got the string "a"',
    ],
    [
      'a key of 65 bits',
      { counts: { '9223372036854775808': 1 } },
      't.M.counts key: wanted a bigint of 64 bits',
    ],
    [
      'a key that is no boolean',
      { flags: { 1: '' } },
      't.M.flags key: wanted true or false, got the string "1"',
    ],
    [
      'an unknown name',
      { color: 'PINK' },
      't.M.color: wanted a number or name of Color (COLOR_UNSPECIFIED, RED, BLUE), got the string "PINK"',
    ],
    ['an inherited name', { color: 'toString' }, 't.M.color: wanted a number or name of Color'],
    [
      'two members of a oneof',
      { text: '', number: 1n },
      't.M.choice: only one may be set, got text and number',
    ],
  ];
  for (const [what, message, text] of refusedShapes) {
    test(`${what}`, () =>
      assert.throws(() => wire(shapes).write(message), hasCode(Status.INVALID_ARGUMENT, text)));
  }

  test('a message in itself', () => {
    const circle: Record<string, unknown> = {};
    circle.inner = { deep: circle };
    assert.throws(
      () => wire(shapes).write(circle),
      hasCode(Status.INVALID_ARGUMENT, 'nested deeper than 100'),
    );
  });

  const malformed: [string, string][] = [
    ['a length beyond the end', '720568'],
    ['a varint without an end', '18ffffffffffffffffffff'],
    ['field number 0', '0001'],
    ['a group without an end', 'a301'],
    ['an unknown wire type', '1f'],
    ['text that is not UTF-8', '7202ffff'],
  ];
  for (const [what, hex] of malformed) {
    test(`${what}`, () =>
      assert.throws(() => wire(scalars).read(hex), hasCode(Status.INTERNAL, 't.M: malformed protobuf: ')));
  }

  test('nesting without end', () => {
    const type = typeM('message M { M m = 1; }');
    let bytes = Buffer.alloc(0);
    for (let depth = 0; depth < 200; depth++)
      bytes = Buffer.concat([varint(0x0a), varint(bytes.length), bytes]);
    assert.throws(
      () => wire(type).read(bytes.toString('hex')),
      hasCode(Status.INTERNAL, 'max depth exceeded'),
    );
    assert.throws(
      () => wire(scalars).read('a301'.repeat(10_000)),
      hasCode(Status.INTERNAL, 'max depth exceeded'),
    );
  });

  test('no field called like what objects inherit', () => {
    const type = wire(
      typeM('message M { string constructor = 1; string to_string = 2; int32 has_own_property = 3; }'),
    );
    assert.equal(type.write({}), '');
    const message = { constructor: 'a', toString: 'b', hasOwnProperty: 3 };
    assert.deepEqual({ ...type.again(message) }, message);
  });
});

describe('maps from a peer', () => {
  const type = typeM(
    'message In { map<string, string> map = 1; } message M { map<string, In> outer = 1; repeated In ins = 2; In one = 3; }',
  );
  const poisoned = { map: JSON.parse('{"__proto__":"x","a":"b"}') };

  test('lose the key __proto__ at any depth, in both codecs, and keep the others', () => {
    const message = { outer: { k: poisoned }, ins: [poisoned], one: poisoned };
    for (const { codecFor } of [protobuf, json]) {
      const codec = codecFor(type);
      const bytes = codec.encode(message);
      assert.ok(Buffer.from(bytes).includes('__proto__'));
      const clean = { map: { a: 'b' } };
      const read = codec.decode(bytes) as typeof message;
      assert.deepEqual(read, { outer: { k: clean }, ins: [clean], one: clean });
      assert.ok(!Object.hasOwn(read.one.map, '__proto__'));
    }
  });
});

describe('a type of a .proto as json', () => {
  const codec = json.codecFor(shapes);
  const written = (message: unknown) => JSON.parse(Buffer.from(codec.encode(message)).toString()) as unknown;
  const read = (value: unknown) => codec.decode(Buffer.from(JSON.stringify(value)));

  test('has lowerCamelCase names, strings for 64-bit integers, names for enums, and no defaults', () => {
    const message = {
      inner: { id: 'a', n: 2n ** 60n },
      byName: { x: { n: 1n } },
      color: 5,
      number: 0n,
      colors: [1],
      ints: [],
    };
    assert.deepEqual(written(message), {
      inner: { id: 'a', n: '1152921504606846976' },
      byName: { x: { n: '1' } },
      color: 'BLUE',
      number: '0',
      colors: ['RED'],
    });
    assert.deepEqual(read(written(message)), {
      ...EMPTY_SHAPES,
      ...message,
      inner: { ...message.inner, deep: null },
      byName: { x: { id: '', n: 1n, deep: null } },
    });
  });

  test('has base64 for bytes and text for what is no finite number', () => {
    const codec = json.codecFor(scalars);
    const text = Buffer.from(
      codec.encode({ by: Buffer.from('abc'), d: Number.POSITIVE_INFINITY }),
    ).toString();
    assert.deepEqual(JSON.parse(text), { by: 'YWJj', d: 'Infinity' });
    const { by, d } = codec.decode(Buffer.from(text)) as Record<string, unknown>;
    assert.deepEqual([by, d], [Buffer.from('abc'), Number.POSITIVE_INFINITY]);
  });

  test('is read with the names of the file too, numbers for enums and for 64-bit integers, and unknown names ignored', () => {
    const message = read({ by_name: { x: { n: 5 } }, color: 1, colors: ['BLUE'], unknown: 1 });
    assert.deepEqual(message, {
      ...EMPTY_SHAPES,
      byName: { x: { id: '', n: 5n, deep: null } },
      color: 1,
      colors: [5],
    });
  });

  test('is refused when a field has the wrong type, in both directions', () => {
    assert.throws(
      () => read({ inner: { id: 5 } }),
      hasCode(Status.INTERNAL, 't.M: malformed json: .t.Inner.id'),
    );
    assert.throws(() => read([]), hasCode(Status.INTERNAL, 't.M: malformed json'));
    assert.throws(
      () => written({ inner: { id: 5 } }),
      hasCode(Status.INVALID_ARGUMENT, 't.Inner.id: wanted a string'),
    );
  });

  test('has the forms of the well-known types', () => {
    const type = typeM(
      'message M { google.protobuf.Timestamp at = 1; google.protobuf.Duration took = 2; google.protobuf.Struct any = 3; }',
      'syntax = "proto3"; import "google/protobuf/timestamp.proto"; import "google/protobuf/duration.proto"; import "google/protobuf/struct.proto";',
    );
    const message = {
      at: { seconds: 1_700_000_000n, nanos: 5_000_000 },
      took: { seconds: 1n, nanos: 0 },
      any: { fields: { a: { numberValue: 1 } } },
    };
    const bytes = json.codecFor(type).encode(message);
    assert.deepEqual(JSON.parse(Buffer.from(bytes).toString()), {
      at: '2023-11-14T22:13:20.005Z',
      took: '1s',
      any: { a: 1 },
    });
    assert.deepEqual(json.codecFor(type).decode(bytes), message);
    assert.deepEqual(wire(type).again(message), message);
  });
});

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}
