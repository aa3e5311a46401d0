import { execFile } from 'node:child_process';
import {
  access,
  constants,
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
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
      failures.push(`${what}: ${firstLine(error)}`);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  throw new Error(
    'these tests need Consul, and none was found: put `consul` on PATH, or set CONSUL_BIN to its path ' +
      `(tried ${failures.join('; ')})`,
  );
}

/** Downloads with lists, cache and sources of its own, so that the machine's stay as they are. */
async function downloadPackage(work: string): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)`, 'm').exec(release)?.[1];
  const codename = field('VERSION_CODENAME');
  if (field('ID') !== 'debian' || !codename) throw new Error('this system is not Debian');

  const sources = join(work, 'sources.list.d');
  for (const folder of [
    sources,
    join(work, 'lists', 'partial'),
    join(work, 'cache', 'archives', 'partial'),
  ]) {
    await mkdir(folder, { recursive: true });
  }
  await writeSources(sources, codename);
  const options = {
    'Dir::Etc::sourcelist': '/dev/null',
    'Dir::Etc::sourceparts': sources,
    'Dir::State::lists': join(work, 'lists'),
    'Dir::Cache': join(work, 'cache'),
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
    'Acquire::http::Timeout': '20',
    'Acquire::https::Timeout': '20',
  };
  const args = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const apt = (...command: string[]) =>
    run('apt-get', [...args, ...command], { cwd: work, timeout: 180_000 });
  // One source that fails makes `update` fail; what counts is whether the package can be had afterwards.
  const update = await apt('update').then(() => '', firstLine);
  await apt('download', 'consul').catch((error: unknown) => {
    throw new Error(`${firstLine(error)}${update && `, after ${update}`}`);
  });
  const file = (await readdir(work)).find((name) => name.endsWith('.deb'));
  if (!file) throw new Error('apt-get download left no package');
  return join(work, file);
}

/** The machine's own sources, with the suite's name replaced: a mirror or proxy set up there goes on being used. */
async function writeSources(folder: string, codename: string): Promise<void> {
  const parts = await readdir('/etc/apt/sources.list.d').catch(() => []);
  const files = ['/etc/apt/sources.list', ...parts.map((name) => join('/etc/apt/sources.list.d', name))];
  for (const [i, file] of files.entries()) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (file.endsWith('.list')) await writeFile(join(folder, `${i}.list`), fromLines(text, codename));
    if (file.endsWith('.sources')) await writeFile(join(folder, `${i}.sources`), fromStanzas(text, codename));
  }
}

/** `deb [options] uri suite component...`, only those of the main suite. */
const fromLines = (text: string, codename: string) =>
  text
    .split('\n')
    .map((line) => /^\s*deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)$/.exec(line))
    .filter((match) => match?.[3] === codename && match[4]!.split(/\s+/).includes('main'))
    .map((match) => `deb ${match![1] ?? ''}${match![2]} ${SUITE} main\n`)
    .join('');

/** The stanzas of deb822, only those of the main suite; all other fields (Signed-By) stay. */
const fromStanzas = (text: string, codename: string) =>
  text
    .split(/\n\s*\n/)
    .filter((stanza) => /^Suites:(.*)$/im.exec(stanza)?.[1]?.trim().split(/\s+/).includes(codename))
    .map((stanza) =>
      stanza.replace(/^Suites:.*$/im, `Suites: ${SUITE}`).replace(/^Components:.*$/im, 'Components: main'),
    )
    .join('\n\n')
    .concat('\n');

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

/** What a command said was wrong, without the rest of its output. */
function firstLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  const lines = (stderr || message).split('\n').filter((line) => line.trim() !== '');
  return (lines.find((line) => line.startsWith('E:')) ?? lines[0] ?? '').slice(0, 200);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    console.log(await consulBinary());
  } catch (error) {
    say((error as Error).message);
    process.exitCode = 1;
  }
}
