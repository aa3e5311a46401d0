import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Contents = Readonly<Record<string, string | Buffer>>;

/** A folder as Kubernetes mounts a secret: each file is a link through `..data`, which a swap replaces as a whole. */
export interface Mounted extends Disposable {
  path(name: string): string;
  swap(contents: Contents): void;
}

export function mounted(contents: Contents): Mounted {
  const folder = mkdtempSync(join(tmpdir(), 'lictor-mount-'));
  const path = (name: string) => join(folder, name);
  let version = 0;
  const swap = (next: Contents) => {
    const [before, after] = [`..v${version}`, `..v${++version}`];
    mkdirSync(path(after));
    for (const [name, content] of Object.entries(next)) writeFileSync(join(path(after), name), content);
    symlinkSync(after, path('..data_tmp'));
    renameSync(path('..data_tmp'), path('..data'));
    rmSync(path(before), { recursive: true, force: true });
  };
  swap(contents);
  for (const name of Object.keys(contents)) symlinkSync(join('..data', name), path(name));
  return { path, swap, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}
