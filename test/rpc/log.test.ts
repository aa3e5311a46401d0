import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { type LogFields, stderrLogger } from '../../rpc/log.js';
import { unprintable } from './unprintable.js';

function logged(message: string, fields?: LogFields): string {
  const written: string[] = [];
  const write = mock.method(process.stderr, 'write', (text: string) => written.push(text) > 0);
  try {
    stderrLogger.error(message, fields);
  } finally {
    write.mock.restore();
  }
  return written.join('');
}

test('an event is one line of JSON, whatever is in it', () => {
  const line = logged('first\nsecond', { text: 'a\r\nb\x1b[2J\x9b\u2028', count: 3, ok: true, none: null });
  assert.equal(line.indexOf('\n'), line.length - 1);
  const { message, level, text, count, ok, none } = JSON.parse(line);
  assert.deepEqual([message, level, count, ok, none], ['first\nsecond', 'error', 3, true, 'null']);
  assert.equal(text, 'a\r\nb\x1b[2J\x9b\u2028');
  // Neither control characters nor what some readers take for the end of a line.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  assert.doesNotMatch(line.slice(0, -1), /[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
});

test('long texts are cut', () => {
  assert.ok(logged('m'.repeat(100_000), { text: 't'.repeat(100_000) }).length < 1_000);
  assert.ok(logged('', { error: new Error('e'.repeat(100_000)) }).length < 5_000);
});

for (const [name, value] of Object.entries(unprintable)) {
  test(`${name} can be logged`, () => {
    assert.equal(JSON.parse(logged('x', { error: value() })).message, 'x');
  });
}
