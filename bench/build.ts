import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What is measured of one build of Lictor. */
export type Build = Pick<typeof import('lictor'), Name> &
  Pick<typeof import('lictor/plugin/consul'), 'consul'>;

type Name = 'Client' | 'Server' | 'defineService' | 'loadProto' | 'unary';

/** @param folder of a built Lictor */
export async function loadBuild(folder: string): Promise<Build> {
  const { exports } = packageOf(folder);
  const load = (entry: string) => import(pathToFileURL(entryFile(folder, exports, entry)).href);
  const [{ Client, Server, defineService, loadProto, unary }, { consul }] = await Promise.all(
    ENTRIES.map(load),
  );
  return { Client, Server, defineService, loadProto, unary, consul };
}

/**
 * @param folder of a built Lictor: a checkout after `npm ci && npm run build`, or an installed package
 * @returns its absolute path
 * @throws Error that says what is missing there
 */
export function checkBuild(folder: string): string {
  const path = resolve(folder);
  const { exports, dependencies = {} } = packageOf(path);
  for (const entry of ENTRIES) {
    const file = entryFile(path, exports, entry);
    if (!existsSync(file))
      throw new Error(`${path} is not built: ${file} is missing; run "npm run build" there`);
  }
  const { resolve: find } = createRequire(join(path, 'package.json'));
  for (const name of Object.keys(dependencies)) {
    try {
      find(name);
    } catch {
      throw new Error(`${path} has no package ${name}; run "npm ci" there`);
    }
  }
  return path;
}

const ENTRIES = ['.', './plugin/consul'];

type Package = {
  readonly name?: string;
  readonly exports: Readonly<Record<string, { readonly default?: string }>>;
  readonly dependencies?: Readonly<Record<string, string>>;
};

function packageOf(folder: string): Package {
  const file = join(folder, 'package.json');
  let about: Partial<Package> | null;
  try {
    about = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${folder} is no folder of Lictor: ${(error as Error).message}`);
  }
  if (about?.name !== 'lictor')
    throw new Error(`${file} is of ${about?.name ?? 'no package'}, not of lictor`);
  return { exports: {}, ...about };
}

function entryFile(folder: string, exports: Package['exports'], entry: string): string {
  const file = exports[entry]?.default;
  if (file === undefined) throw new Error(`${join(folder, 'package.json')} has no entry point "${entry}"`);
  return join(folder, file);
}
