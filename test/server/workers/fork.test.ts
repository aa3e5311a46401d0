import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type End, forker } from '../../../server/workers/fork.js';
import { turns } from '../../deferred.js';

// The program is of no account here: Node.js itself cannot be started.

for (const [how, path] of [
  ['by an event', '/nowhere/node'],
  ['by an exception', `/${'x'.repeat(5_000)}`],
] as const) {
  test(`a process that the system refuses ${how} has ended, once, when fork has returned`, async (t) => {
    const { execPath } = process;
    t.after(() => {
      process.execPath = execPath;
    });
    process.execPath = path;
    const ends: End[] = [];
    const ended = new Promise<void>((resolve) => {
      const onEnd = (end: End) => {
        ends.push(end);
        resolve();
      };
      const child = forker('/nowhere/program.js')(0, { onReport() {}, onEnd });
      assert.equal(child.pid, undefined);
      child.send('close');
      child.kill();
    });
    assert.equal(ends.length, 0);
    await ended;
    await turns();
    assert.equal(ends.length, 1);
    assert.match(String(ends[0]!.error), /spawn/);
  });
}
