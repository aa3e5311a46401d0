import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { withLock } from '../../scripts/lock.js';

test('a lock is held by one at a time, also within a process, and leaves no file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lictor-lock-'));
  let held = 0;
  const work = async () => {
    assert.equal(++held, 1);
    await new Promise((resolve) => setImmediate(resolve));
    held--;
  };
  try {
    await Promise.all(Array.from({ length: 4 }, () => withLock(join(folder, 'lock'), work)));
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
