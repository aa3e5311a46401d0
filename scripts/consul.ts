import { execFile } from 'node:child_process';
import { access, constants, copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { privateApt, whatWentWrong } from './debian.js';
import { withLock } from './lock.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const cache = join(root, '.cache');
const fetched = join(cache, 'consul', 'usr', 'bin', 'consul');

/** The newest Debian release that still packages Consul. */
const SUITE = 'bullseye';

/**
 * The path of a Consul for tests: CONSUL_BIN, `consul` on PATH, or one fetched into `.cache/` without root.
 * Any number of processes may ask at once.
 * @throws Error that says how to install Consul
 */
export async function consulBinary(): Promise<string> {
  const given = process.env.CONSUL_BIN;
  if (given) {
    if (await isExecutable(given)) return given;
    throw new Error(`CONSUL_BIN is ${JSON.stringify(given)}, which is not a file that can be executed`);
  }
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, 'consul');
    if (folder !== '' && (await isExecutable(file))) return file;
  }
  if (await isExecutable(fetched)) return fetched;
  await mkdir(cache, { recursive: true });
  await withLock(join(cache, 'consul.lock'), async () => {
    if (!(await isExecutable(fetched))) await fetchConsul();
  });
  return fetched;
}

async function fetchConsul(): Promise<void> {
  const failures: string[] = [];
  for (const [what, get] of [
    [`Debian's package of ${SUITE}`, downloadPackage],
    ['the package kept beside the project', keptPackage],
  ] as const) {
    const work = join(cache, `consul-${process.pid}`);
    try {
      await rm(work, { recursive: true, force: true });
      await mkdir(work, { recursive: true });
      say(`fetching ${what} into .cache/`);
      const unpacked = join(work, 'unpacked');
      await run('dpkg', ['-x', await get(work), unpacked]);
      await run(join(unpacked, 'usr', 'bin', 'consul'), ['version']);
      await rm(join(cache, 'consul'), { recursive: true, force: true });
      await rename(unpacked, join(cache, 'consul'));
      return;
    } catch (error) {
      failures.push(`${what}: ${whatWentWrong(error)}`);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  throw new Error(
    'these tests need Consul, and none was found: put `consul` on PATH, or set CONSUL_BIN to its path ' +
      `(tried ${failures.join('; ')})`,
  );
}

async function downloadPackage(work: string): Promise<string> {
  const apt = await privateApt(work, SUITE);
  const [file] = await apt.download(['consul']);
  return file!;
}

async function keptPackage(work: string): Promise<string> {
  const file = process.env.LICTOR_CONSUL_DEB ?? join(root, '..', 'shared', 'data', 'consul_1.8.7_amd64.deb');
  const copy = join(work, 'consul.deb');
  await copyFile(file, copy);
  return copy;
}

const isExecutable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );

const say = (text: string) => process.stderr.write(`consul for tests: ${text}\n`);

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    console.log(await consulBinary());
  } catch (error) {
    say((error as Error).message);
    process.exitCode = 1;
  }
}
