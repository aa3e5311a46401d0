import { type FSWatcher, watch } from 'node:fs';
import { readlink, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Directories of network and overlay mounts tell of no change, so all are looked at every so often. */
const POLL_MS = 10_000;
/** Files are written one after the other, and in pieces. */
const SETTLE_MS = 100;
const MAX_LINKS = 16;

/**
 * Calls `look` soon after something has changed beside the files, and every `pollMs` in any case; again after
 * `SETTLE_MS` when it resolves with true. It may not reject. Never keeps the process alive.
 */
export function watchFiles(
  files: readonly string[],
  look: () => Promise<boolean>,
  pollMs = POLL_MS,
): { close(): void } {
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  let isLooking = false;
  let isWanted = false;
  let isClosed = false;

  const soon = () => {
    isWanted = true;
    // Not put off by the next change: a directory in which others write all the time is read, too.
    if (!isLooking && !isClosed) timer ??= setTimeout(run, SETTLE_MS).unref();
  };
  const run = async () => {
    timer = undefined;
    isWanted = false;
    isLooking = true;
    // Directories first: what changes after the files are read is then seen.
    await watchDirectories();
    if (await look()) isWanted = true;
    isLooking = false;
    if (isWanted) soon();
  };
  const watchDirectories = async () => {
    const wanted = await directoriesOf(files);
    if (isClosed) return;
    for (const [id, watcher] of watchers) {
      if (wanted.has(id)) continue;
      watchers.delete(id);
      watcher.close();
    }
    for (const [id, directory] of wanted) {
      if (watchers.has(id)) continue;
      try {
        const watcher = watch(directory, { persistent: false }, soon);
        watchers.set(id, watcher);
        watcher.on('error', () => {
          if (watchers.get(id) === watcher) watchers.delete(id);
          watcher.close();
        });
      } catch {
        // The directory is gone, or the system watches no more of them: the poll remains.
      }
    }
  };

  const poll = setInterval(soon, pollMs).unref();
  // What has changed since the files were read the first time.
  soon();
  return {
    close() {
      isClosed = true;
      clearInterval(poll);
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}

/**
 * The directories of the files, and those of the links that lead there. Kubernetes replaces a link of a directory
 * (`tls.crt -> ..data/tls.crt`, `..data -> ..2024_05_01`), so each is known by its inode: one that is made anew is another.
 */
async function directoriesOf(files: readonly string[]): Promise<Map<string, string>> {
  const paths = new Set<string>();
  for (const file of files) await follow(file, paths, new Set());
  const directories = new Map<string, string>();
  for (const path of paths) {
    const stats = await stat(path).catch(() => undefined);
    if (stats) directories.set(`${stats.dev}:${stats.ino}`, path);
  }
  return directories;
}

/** Adds the directory of a path, and that of each part of it that is a link. */
async function follow(path: string, directories: Set<string>, links: Set<string>): Promise<void> {
  directories.add(dirname(path));
  for (let part = path; part !== dirname(part); part = dirname(part)) {
    if (links.has(part) || links.size === MAX_LINKS) continue;
    const target = await readlink(part).catch(() => undefined);
    if (target === undefined) continue;
    links.add(part);
    directories.add(dirname(part));
    await follow(resolve(dirname(part), target), directories, links);
  }
}
