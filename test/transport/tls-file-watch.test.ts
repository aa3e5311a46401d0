import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { root } from '../../scripts/root.js';
import { watchFiles } from '../../transport/tls/file-watch.js';
import { mounted } from './mounted.js';

const LIMIT = { timeout: 20_000 };
const NEVER_MS = 2 ** 31 - 1;

function watched(files: readonly string[], pollMs = NEVER_MS) {
  const looks = new EventEmitter();
  let count = 0;
  const look = async () => {
    looks.emit('look', ++count);
    return false;
  };
  const { close } = watchFiles(files, look, pollMs);
  const alive = setInterval(() => {}, NEVER_MS);
  return {
    look: () => once(looks, 'look'),
    [Symbol.dispose]() {
      clearInterval(alive);
      close();
    },
  };
}

function folder() {
  const path = mkdtempSync(join(tmpdir(), 'lictor-watch-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

describe('a watch of files looks', () => {
  test('at the start, and after a file was written, renamed to its name, or removed', LIMIT, async () => {
    using within = folder();
    const file = join(within.path, 'tls.crt');
    writeFileSync(file, '1');
    using watch = watched([file]);
    await watch.look();
    for (const change of [
      () => writeFileSync(file, '2'),
      () => {
        writeFileSync(`${file}.tmp`, '3');
        renameSync(`${file}.tmp`, file);
      },
      () => unlinkSync(file),
    ]) {
      const look = watch.look();
      change();
      await look;
    }
  });

  test('after each swap of a mount of Kubernetes', LIMIT, async () => {
    using mount = mounted({ 'tls.crt': '1' });
    using watch = watched([mount.path('tls.crt')]);
    await watch.look();
    for (const content of ['2', '3', '4']) {
      const look = watch.look();
      mount.swap({ 'tls.crt': content });
      await look;
    }
  });

  test('after each swap of a mount that links from elsewhere lead to', LIMIT, async () => {
    using within = folder();
    using mount = mounted({ 'tls.crt': '1' });
    const link = join(within.path, 'server.pem');
    symlinkSync(mount.path('tls.crt'), link);
    using watch = watched([link]);
    await watch.look();
    for (const content of ['2', '3', '4']) {
      const look = watch.look();
      mount.swap({ 'tls.crt': content });
      await look;
    }
  });

  test('after each change in a directory that has taken the place of another', LIMIT, async () => {
    using within = folder();
    const [inner, next, old] = ['tls', 'next', 'old'].map((name) => join(within.path, name));
    const file = join(inner!, 'tls.crt');
    for (const directory of [inner!, next!]) {
      mkdirSync(directory);
      writeFileSync(join(directory, 'tls.crt'), '1');
    }
    using watch = watched([file]);
    await watch.look();
    let look = watch.look();
    renameSync(inner!, old!);
    renameSync(next!, inner!);
    await look;
    for (const content of ['2', '3', '4']) {
      look = watch.look();
      writeFileSync(file, content);
      await look;
    }
  });

  test('after each swap of a link above the directory', LIMIT, async () => {
    using within = folder();
    const [one, two, current] = ['one', 'two', 'current'].map((name) => join(within.path, name));
    for (const directory of [one!, two!]) mkdirSync(join(directory, 'tls'), { recursive: true });
    symlinkSync('one', current!);
    using watch = watched([join(current!, 'tls', 'tls.crt')]);
    await watch.look();
    for (const target of ['two', 'one', 'two']) {
      const look = watch.look();
      symlinkSync(target, `${current}.next`);
      renameSync(`${current}.next`, current!);
      await look;
    }
  });

  test('now and then where the system tells of no change', LIMIT, async () => {
    using within = folder();
    const file = join(within.path, 'made later', 'tls.crt');
    using watch = watched([file], 50);
    await watch.look();
    await watch.look();
    await watch.look();
  });

  test('at the start, also at links that lead in a circle', LIMIT, async () => {
    using within = folder();
    const [one, two] = ['one', 'two'].map((name) => join(within.path, name));
    symlinkSync('two', one!);
    symlinkSync('one', two!);
    using watch = watched([join(one!, 'tls.crt')]);
    await watch.look();
  });

  test('and does not keep its process alive, nor look when it is closed', LIMIT, async () => {
    using within = folder();
    const file = join(within.path, 'tls.crt');
    writeFileSync(file, '1');
    const program = `
      import { watchFiles } from './dist/transport/tls/file-watch.js';
      let count = 0;
      const looked = new Promise((resolve) => {
        watchFiles([${JSON.stringify(file)}], async () => (resolve(), false), 1_000);
      });
      const alive = setInterval(() => {}, 1_000);
      await looked;
      clearInterval(alive);`;
    execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: root,
      timeout: 10_000,
    });
    const watch = watched([file], 20);
    await watch.look();
    watch[Symbol.dispose]();
    let looks = 0;
    void watch.look().then(() => looks++);
    using other = watched([file]);
    const seen = other.look();
    writeFileSync(file, '2');
    await seen;
    assert.equal(looks, 0);
  });
});
