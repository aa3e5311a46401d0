import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatJson, parseJson } from '../../plugin/consul/watch/json.js';
import { normalForm } from '../../plugin/consul/watch/normal-form.js';

/** Has doubles of all sizes. */
const plain = fc.jsonValue();

test('what is plain JSON is read and written as JSON.parse and JSON.stringify do', () => {
  fc.assert(
    fc.property(plain, fc.constantFrom(0, 4), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      assert.deepEqual(JSON.parse(formatJson(parseJson(text))), JSON.parse(text));
      assert.deepEqual(JSON.parse(formatJson(value, indent)), JSON.parse(text));
    }),
  );
});

test('integers of 64 bits stay whole wherever they stand, and digits in strings stay strings', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }), fc.string(), (large, text) => {
      const value = { text: `${text}"${large},${large}`, list: [large, -large, 1.5, 7], deep: { large } };
      assert.deepEqual(parseJson(formatJson(value)), value);
      assert.deepEqual(parseJson(formatJson(value, 4)), value);
    }),
  );
});

test('long numbers that are no integers, or fit a number, are numbers', () => {
  const text = '[1.2345678901234567, 1e-00000000000000001, 12345678901234567e3, 9007199254740991]';
  assert.deepEqual(parseJson(text), JSON.parse(text));
  assert.throws(() => parseJson('[12345678901234567890'), SyntaxError);
  assert.deepEqual(parseJson('["\\udfffabc", 12345678901234567890]'), ['\udfffabc', 12345678901234567890n]);
});

test('what HTML would act on is escaped as Go does it', () => {
  assert.equal(formatJson({ '<a>': '&\u2028\u2029/' }), '{"\\u003ca\\u003e":"\\u0026\\u2028\\u2029/"}');
  assert.equal(
    formatJson({ a: [], b: {}, c: [1, { d: null }] }, 2),
    '{\n  "a": [],\n  "b": {},\n  "c": [\n    1,\n    {\n      "d": null\n    }\n  ]\n}',
  );
});

test('W6 the order of lists has no part in what a result means, everything else has', () => {
  const shuffled = fc
    .array(plain)
    .chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
  fc.assert(fc.property(shuffled, ([list, other]) => assert.equal(normalForm(list), normalForm(other))));
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      assert.equal(normalForm([{ a }]) === normalForm([{ a: b }]), a === b);
      assert.equal(normalForm({ a: [a] }) === normalForm({ a: [b] }), a === b);
    }),
  );
  assert.notEqual(normalForm(['a', 'b']), normalForm(['a,b']));
  assert.notEqual(normalForm([['a'], ['b']]), normalForm([['a', 'b']]));
  assert.notEqual(normalForm(null), normalForm([]));
});
