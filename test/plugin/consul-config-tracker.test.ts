import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Tracker } from '../../plugin/consul/config/tracker.js';

const path = fc.constantFrom('a', 'b', 'c', '__proto__', 'a/b');
/** What begins with `!` is bad, what is empty has no value. */
const bytes = fc.constantFrom('1', '2', '!x', '!y', '');
const snapshots = fc.array(fc.array(fc.tuple(path, bytes)), { maxLength: 12 });

test('whatever the snapshots, the changes lead from nothing to the last good values, each told once', async () => {
  await fc.assert(
    fc.asyncProperty(snapshots, async (list) => {
      const bad: string[] = [];
      const tracker = new Tracker<string>(
        async (value, at) => {
          const text = value.toString();
          if (text.startsWith('!')) throw new Error(`${at} ${text}`);
          return text === '' ? undefined : text;
        },
        (one) => bad.push(one.path),
      );
      const told = new Map<string, string>();
      const expected = new Map<string, string>();
      for (const entries of list) {
        const snapshot = new Map<string, Buffer>(entries.map(([key, text]) => [key, Buffer.from(text)]));
        for (const known of [...expected.keys()]) if (!snapshot.has(known)) expected.delete(known);
        for (const [key, value] of snapshot) {
          const text = value.toString();
          if (text === '') expected.delete(key);
          else if (!text.startsWith('!')) expected.set(key, text);
        }
        for await (const change of tracker.changesTo(snapshot)) {
          assert.equal(change.previous, told.get(change.path));
          if (change.kind === 'deleted') assert.ok(told.delete(change.path));
          else {
            assert.notEqual(change.value, told.get(change.path));
            told.set(change.path, change.value);
          }
        }
        assert.deepEqual([...told].sort(), [...expected].sort());
        assert.deepEqual([...tracker.values].sort(), [...expected].sort());
        const reported = bad.length;
        for await (const change of tracker.changesTo(snapshot)) assert.fail(`told again: ${change.path}`);
        assert.equal(bad.length, reported);
      }
    }),
    { numRuns: 300 },
  );
});
