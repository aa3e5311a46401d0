import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { makeFolder } from '../../rpc/make-folder.js';

const root = mkdtempSync(join(tmpdir(), 'lictor-folder-'));
after(() => rmSync(root, { recursive: true }));
const linux = { skip: process.platform === 'linux' ? false : 'there is no /proc', timeout: 20_000 };
const noRoot = { skip: process.getuid?.() === 0 ? 'root may write everywhere' : false };

/** The error's text, and its code. */
const refusal = (folder: string) =>
  makeFolder(folder).then(
    () => 'made',
    (error: NodeJS.ErrnoException) => `${error.message} ${error.code}`,
  );

describe('a folder is made', () => {
  test('with those above it, in the mode that is given', async () => {
    await makeFolder(join(root, 'a', 'b', 'c'), 0o700);
    for (const path of ['a', 'a/b', 'a/b/c']) assert.equal(statSync(join(root, path)).mode & 0o777, 0o700);
  });
  test('when it is there, and by several at once', async () => {
    await makeFolder(root);
    await makeFolder('/');
    const folders = ['x/y/1', 'x/y/2', 'x/y', 'x/y/1'].map((path) => makeFolder(join(root, path)));
    await Promise.all(folders);
    assert.ok(statSync(join(root, 'x/y/2')).isDirectory());
  });
  test('behind a link', async () => {
    symlinkSync(join(root, 'a'), join(root, 'link'));
    await makeFolder(join(root, 'link', 'through'));
    assert.ok(statSync(join(root, 'a/through')).isDirectory());
  });
});

describe('a folder that cannot be made is an error that names it', () => {
  test('in a folder that takes none, however deep', linux, async () => {
    const text = 'cannot make the folder /proc/x: the folder above it takes no folders (ENOENT) ENOENT';
    assert.equal(await refusal('/proc/x'), text);
    assert.equal(await refusal('/proc/x/y/z'), text);
  });
  test('where a file has its name, or that of a folder above it', async () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    assert.equal(
      await refusal(file),
      `cannot make the folder ${file}: something else has this name (EEXIST) EEXIST`,
    );
    assert.equal(
      await refusal(join(file, 'in')),
      `cannot make the folder ${join(file, 'in')}: what is above it is no folder (ENOTDIR) ENOTDIR`,
    );
  });
  test('where a link leads nowhere', async () => {
    symlinkSync(join(root, 'nowhere'), join(root, 'dangling'));
    assert.match(await refusal(join(root, 'dangling')), /dangling: something else has this name/);
    // Its folders would have the name of the link.
    assert.match(await refusal(join(root, 'dangling', 'in')), /dangling: something else has this name/);
  });
  test('with a name that is too long, of which the text shows the ends', async () => {
    const text = await refusal(join(root, 'n'.repeat(4_000), 'end'));
    assert.match(text, /n\.\.\.n+\/end: its name is too long \(ENAMETOOLONG\)/);
    assert.ok(text.length < 500);
  });
  test('with a null byte', async () => {
    assert.match(await refusal(join(root, 'a\0b')), /its name holds a null byte/);
  });
  test('where nobody may write', noRoot, async () => {
    const locked = join(root, 'locked');
    await makeFolder(locked);
    chmodSync(locked, 0o500);
    const path = join(locked, 'in');
    assert.equal(
      await refusal(path),
      `cannot make the folder ${path}: the folder above it may not be written (EACCES) EACCES`,
    );
  });
});
