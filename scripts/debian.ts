import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What an apt of our own can be asked. */
export interface PrivateApt {
  /** The packages, and what they depend on, that are not installed on this machine. */
  missing(names: readonly string[]): Promise<readonly string[]>;
  /** Downloads packages, and nothing that they depend on; the paths of the files. */
  download(names: readonly string[]): Promise<readonly string[]>;
}

/**
 * An apt that needs no root: its lists and cache are in the folder `work`, so that the machine's stay as they are.
 * @param suite another release to take the packages of. @default the machine's own
 * @throws Error when this is not Debian
 */
export async function privateApt(work: string, suite?: string): Promise<PrivateApt> {
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
  if (suite !== undefined) await writeSources(sources, codename, suite);
  const options = {
    ...(suite !== undefined && { 'Dir::Etc::sourcelist': '/dev/null', 'Dir::Etc::sourceparts': sources }),
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
  // One source that fails makes `update` fail; what counts is whether the packages can be had afterwards.
  const update = await apt('update').then(() => '', whatWentWrong);
  const asked = (...command: string[]) =>
    apt(...command).catch((error: unknown) => {
      throw new Error(`${whatWentWrong(error)}${update && `, after ${update}`}`);
    });
  return {
    async missing(names) {
      const { stdout } = await asked('install', '--simulate', '--no-install-recommends', ...names);
      return [...stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1]!);
    },
    async download(names) {
      await asked('download', ...names);
      const files = (await readdir(work)).filter((name) => name.endsWith('.deb'));
      if (files.length < names.length) throw new Error('apt-get download left too few packages');
      return files.map((name) => join(work, name));
    },
  };
}

/** The machine's own sources, with the suite's name replaced: a mirror or proxy set up there goes on being used. */
async function writeSources(folder: string, codename: string, suite: string): Promise<void> {
  const parts = await readdir('/etc/apt/sources.list.d').catch(() => []);
  const files = ['/etc/apt/sources.list', ...parts.map((name) => join('/etc/apt/sources.list.d', name))];
  for (const [i, file] of files.entries()) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (file.endsWith('.list')) await writeFile(join(folder, `${i}.list`), fromLines(text, codename, suite));
    if (file.endsWith('.sources'))
      await writeFile(join(folder, `${i}.sources`), fromStanzas(text, codename, suite));
  }
}

/** `deb [options] uri suite component...`, only those of the main suite. */
const fromLines = (text: string, codename: string, suite: string) =>
  text
    .split('\n')
    .map((line) => /^\s*deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)$/.exec(line))
    .filter((match) => match?.[3] === codename && match[4]!.split(/\s+/).includes('main'))
    .map((match) => `deb ${match![1] ?? ''}${match![2]} ${suite} main\n`)
    .join('');

/** The stanzas of deb822, only those of the main suite; all other fields (Signed-By) stay. */
const fromStanzas = (text: string, codename: string, suite: string) =>
  text
    .split(/\n\s*\n/)
    .filter((stanza) => /^Suites:(.*)$/im.exec(stanza)?.[1]?.trim().split(/\s+/).includes(codename))
    .map((stanza) =>
      stanza.replace(/^Suites:.*$/im, `Suites: ${suite}`).replace(/^Components:.*$/im, 'Components: main'),
    )
    .join('\n\n')
    .concat('\n');

/** What a command said was wrong, without the rest of its output. */
export function whatWentWrong(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  const lines = (stderr || message).split('\n').filter((line) => line.trim() !== '');
  return (lines.find((line) => line.startsWith('E:')) ?? lines[0] ?? '').slice(0, 200);
}
