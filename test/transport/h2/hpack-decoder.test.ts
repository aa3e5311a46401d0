import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HpackDecoder } from '../../../transport/h2/hpack-decoder.js';
import { HpackError } from '../../../transport/h2/hpack-error.js';
import { entries, hex } from './blocks.js';

const breaks = (code: HpackError['code']) => (error: unknown) =>
  error instanceof HpackError && error.code === code;

/** `a: b` with incremental indexing. */
const ADD_A = '40 0161 0162';

describe('what breaks a header block', () => {
  const malformed: Readonly<Record<string, string>> = {
    'index 0 (6.1)': '80',
    'an index behind the static table (2.3.3)': 'be',
    'an index behind the dynamic table': `${ADD_A} bf`,
    'a name at an index behind the tables': '7e 0161',
    'a name at an index behind the tables, without indexing': '0f30 0161',
    'an integer without its end': 'ff',
    'an integer without its end, 4 bytes on': 'ff80808080',
    'an integer of 6 bytes (5.1)': 'ff808080808000',
    'an integer above 32 bits': 'ffffffffff7f',
    'a literal without a name': '40',
    'a literal without a value': '400161',
    'a literal with an indexed name and no value': '44',
    'a name cut off': '400361',
    'a value cut off': '4001610362',
    'a value that claims 256 MiB': '400161 7fffffff7f',
    'a value whose length is cut off': '400161 7f80',
    'EOS in a string (5.2)': '400161 84ffffffff',
    'padding of 8 bits (5.2)': '400161 821fff',
    'padding of zeros (5.2)': '400161 8118',
    'a size update behind a field (4.2)': '8220',
    'a size update above the limit (6.3)': '3fe21f',
    'a size update cut off': '3f',
  };
  for (const [what, block] of Object.entries(malformed)) {
    test(`${what}`, () => {
      assert.throws(() => new HpackDecoder().decode(hex(block)), breaks('COMPRESSION_ERROR'));
    });
  }

  test('ends where it is told to, whatever stands around it', () => {
    const decoder = new HpackDecoder();
    assert.deepEqual(decoder.decode(hex(`80 ${ADD_A} 80`), 1, 6), ['a', 'b']);
    assert.throws(() => decoder.decode(hex(`80 ${ADD_A} 80`), 1, 5), breaks('COMPRESSION_ERROR'));
  });
});

describe('the dynamic table of a decoder', () => {
  test('takes an entry as large as the table, and is emptied by a larger one (4.4)', () => {
    const decoder = new HpackDecoder({ maxTableBytes: 34 });
    decoder.decode(hex(ADD_A));
    assert.deepEqual(entries(decoder), ['a: b']);
    assert.deepEqual(decoder.decode(hex('40 0161 026263')), ['a', 'bc']);
    assert.deepEqual(entries(decoder), []);
  });

  test('gives a new entry the name of one that it evicts (4.4)', () => {
    const decoder = new HpackDecoder({ maxTableBytes: 40 });
    assert.deepEqual(decoder.decode(hex(`${ADD_A} 7e 0163`)), ['a', 'b', 'a', 'c']);
    assert.deepEqual(entries(decoder), ['a: c']);
  });

  test('is resized at the start of a block, more than once (4.2)', () => {
    const decoder = new HpackDecoder();
    decoder.decode(hex(ADD_A));
    assert.deepEqual(decoder.decode(hex('20 3fe11f 82')), [':method', 'GET']);
    assert.deepEqual(entries(decoder), []);
    assert.equal(decoder.table.maxBytes, 4096);
  });

  test('has to be resized once the peer has acknowledged a lower limit (RFC 9113, 4.3.1)', () => {
    for (const [block, fine] of [
      ['82', false],
      ['20 82', true],
      ['3f21 82', true],
      ['3f22 82', false],
    ] as const) {
      const decoder = new HpackDecoder();
      decoder.decode(hex('82'));
      decoder.decode(hex('82'));
      decoder.setMaxTableBytes(64);
      if (fine) assert.deepEqual(decoder.decode(hex(block)), [':method', 'GET']);
      else assert.throws(() => decoder.decode(hex(block)), breaks('COMPRESSION_ERROR'));
    }
  });

  test('may be resized above 4096 bytes after the limit was raised', () => {
    const decoder = new HpackDecoder();
    assert.throws(() => decoder.decode(hex('3fe13f')), breaks('COMPRESSION_ERROR'));
    decoder.setMaxTableBytes(8192);
    decoder.decode(hex('3fe13f'));
    assert.equal(decoder.table.maxBytes, 8192);
  });

  test('holds 128 entries of the smallest kind but one, in the order of their coming', () => {
    const decoder = new HpackDecoder({ maxTableBytes: 128 * 34, maxFields: 1_000 });
    for (let at = 0; at < 300; at++) {
      const letter = (0x61 + (at % 26)).toString(16);
      decoder.decode(hex(`40 01${letter} 0162`));
    }
    assert.equal(decoder.table.count, 128);
    const letters = Array.from({ length: 128 }, (_, at) => String.fromCharCode(0x61 + ((299 - at) % 26)));
    assert.deepEqual(
      entries(decoder),
      letters.map((letter) => `${letter}: b`),
    );
  });
});

describe('a header list above the limits', () => {
  const large = Buffer.concat([hex('40 0161 7f d106'), Buffer.alloc(0x7f + 0x351, 'v')]);

  test('is not delivered, and leaves the tables alike', () => {
    const decoder = new HpackDecoder({ maxListBytes: 800 });
    assert.equal(decoder.decode(Buffer.concat([large, hex(ADD_A)])), undefined);
    assert.equal(entries(decoder).length, 2);
    assert.deepEqual(decoder.decode(hex('be')), ['a', 'b']);
    assert.equal(decoder.decode(hex('bf')), undefined, 'an indexed field counts in full');
    assert.deepEqual(decoder.decode(hex('be')), ['a', 'b']);
  });

  test('counts 32 bytes a field', () => {
    const decoder = new HpackDecoder({ maxListBytes: 3 * 34 });
    assert.equal(decoder.decode(hex(`${ADD_A} be be`))?.length, 6);
    assert.equal(decoder.decode(hex('be be be be')), undefined);
  });

  test('is one of too many fields', () => {
    const decoder = new HpackDecoder({ maxFields: 2 });
    assert.equal(decoder.decode(hex('82 84'))?.length, 4);
    assert.equal(decoder.decode(hex('82 84 86')), undefined);
    assert.deepEqual(decoder.decode(hex('86')), [':scheme', 'http']);
  });

  test('ends the connection when it goes on to four times the limit', () => {
    const decoder = new HpackDecoder();
    const value = Buffer.alloc(4000, 'v');
    decoder.decode(Buffer.concat([hex('40 0161 7fa11e'), value]));
    // A block of 1 KiB that stands for 4 MiB.
    assert.throws(() => decoder.decode(Buffer.alloc(1024, 0xbe)), breaks('ENHANCE_YOUR_CALM'));
    assert.throws(() => decoder.decode(Buffer.alloc(65 * 1024, 0x82)), breaks('ENHANCE_YOUR_CALM'));
  });
});

describe('blocks that come again', () => {
  test('get the same frozen fields from the third time on', () => {
    const decoder = new HpackDecoder();
    decoder.decode(hex(ADD_A));
    const block = hex('82 be 04 0161');
    const first = decoder.decode(block);
    const second = decoder.decode(Buffer.from(block));
    const third = decoder.decode(Buffer.concat([hex('ff'), block, hex('ff')]), 1, 1 + block.length);
    assert.deepEqual(first, [':method', 'GET', 'a', 'b', ':path', 'a']);
    assert.deepEqual(second, first);
    assert.equal(third, second);
    assert.ok(Object.isFrozen(third));
  });

  test('mean something else after the table has changed', () => {
    const decoder = new HpackDecoder();
    decoder.decode(hex(ADD_A));
    for (let times = 0; times < 3; times++) assert.deepEqual(decoder.decode(hex('be')), ['a', 'b']);
    decoder.decode(hex('40 0163 0164'));
    for (let times = 0; times < 3; times++) assert.deepEqual(decoder.decode(hex('be')), ['c', 'd']);
    decoder.decode(hex('20'));
    assert.throws(() => decoder.decode(hex('be')), breaks('COMPRESSION_ERROR'));
  });

  test('keep their fields in every state of the table if they do not look into it', () => {
    const decoder = new HpackDecoder();
    decoder.decode(hex('82 84'));
    const fields = decoder.decode(hex('82 84'));
    decoder.decode(hex(ADD_A));
    assert.equal(decoder.decode(hex('82 84')), fields);
  });

  test('change the table each time if they change it', () => {
    const decoder = new HpackDecoder();
    for (let times = 1; times < 5; times++) {
      assert.deepEqual(decoder.decode(hex(ADD_A)), ['a', 'b']);
      assert.equal(decoder.table.count, times);
    }
    for (let times = 1; times < 5; times++) decoder.decode(hex('20 82'));
    assert.equal(decoder.table.maxBytes, 0);
  });

  test('are not confused with others of the same length', () => {
    const decoder = new HpackDecoder();
    const twin = (digit: string) =>
      Buffer.concat([hex('04 28'), Buffer.from(`/path/${digit}${'-'.repeat(33)}`)]);
    for (let times = 0; times < 4; times++) {
      for (const digit of ['1', '2', '3']) {
        assert.equal(decoder.decode(twin(digit))?.[1], `/path/${digit}${'-'.repeat(33)}`);
      }
    }
  });
});

test('a decoder takes or refuses random bytes, keeps its limits, and throws nothing but HpackError', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    // More of what makes sense: short strings, and indices that exist.
    fc
      .array(fc.constantFrom('82', '84', 'be', ADD_A, '7e0163', '20', '3fe11f', '0000', '000181', '0f2f8125'))
      .map((parts) => Uint8Array.from(hex(parts.join('')))),
  );
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 10 }), (blocks) => {
      const decoder = new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 1000 });
      try {
        for (const block of blocks) {
          const fields = decoder.decode(Buffer.from(block));
          const bytes = fields?.reduce((sum, text) => sum + text.length + 16, 0) ?? 0;
          assert.ok(bytes <= 1000);
          assert.ok(decoder.table.sizeBytes <= 4096);
        }
      } catch (error) {
        assert.ok(error instanceof HpackError, String(error));
      }
    }),
    { numRuns: 3_000 },
  );
});
