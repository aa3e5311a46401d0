import { execFile } from 'node:child_process';
import { access, constants, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { privateApt, whatWentWrong } from './debian.js';
import { withLock } from './lock.js';
import { root } from './root.js';

const run = promisify(execFile);
const cache = join(root, '.cache');
const fetched = join(cache, 'python');

/** gRPC's own C core, a second HTTP/2, what grpclib needs, and the compiler of .proto files. */
const PACKAGES = [
  'python3',
  'python3-grpcio',
  'python3-protobuf',
  'python3-h2',
  'python3-multidict',
  'protobuf-compiler',
];
/** Debian 12 does not have it yet. It is Python alone, so that a later release's fits. */
const GRPCLIB = { name: 'python3-grpclib', suite: 'trixie' };

/** A Python that has grpcio, h2, grpclib and protobuf, and a protoc; to be run with `env`. */
export type Python = { readonly python: string; readonly protoc: string; readonly env: NodeJS.ProcessEnv };

/**
 * A Python for tests: that of PYTHON_BIN, Debian's own when the packages are installed, or Debian's with packages
 * fetched into `.cache/` without root. Any number of processes may ask at once.
 * @throws Error that says how to install it
 */
export async function pythonWithGrpc(): Promise<Python> {
  const given = process.env.PYTHON_BIN;
  if (given) {
    const python = { python: given, protoc: 'protoc', env: process.env };
    const problem = await problemOf(python);
    if (problem === undefined) return python;
    throw new Error(`PYTHON_BIN is ${JSON.stringify(given)}, which cannot be used: ${problem}`);
  }
  // Debian's modules are built for Debian's Python, and `python3` on PATH may be another.
  const installed = { python: '/usr/bin/python3', protoc: '/usr/bin/protoc', env: process.env };
  for (const known of [installed, await unpacked()]) if ((await problemOf(known)) === undefined) return known;
  await mkdir(cache, { recursive: true });
  await withLock(join(cache, 'python.lock'), async () => {
    if ((await problemOf(await unpacked())) !== undefined) await fetchPackages();
  });
  return unpacked();
}

/** What the fetched packages make together with what is installed. */
async function unpacked(): Promise<Python> {
  const triplet = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch;
  const modules = join(fetched, 'usr', 'lib', 'python3', 'dist-packages');
  const libraries = join(fetched, 'usr', 'lib', `${triplet}-linux-gnu`);
  const bin = join(fetched, 'usr', 'bin');
  const python = await whereItIs(join(bin, 'python3'), '/usr/bin/python3');
  const protoc = await whereItIs(join(bin, 'protoc'), '/usr/bin/protoc');
  return { python, protoc, env: { ...process.env, PYTHONPATH: modules, LD_LIBRARY_PATH: libraries } };
}

async function fetchPackages(): Promise<void> {
  const work = join(cache, `python-${process.pid}`);
  try {
    await rm(work, { recursive: true, force: true });
    await mkdir(work, { recursive: true });
    say("fetching Debian's packages into .cache/");
    const apt = await privateApt(work);
    const tree = join(work, 'tree');
    for (const file of await apt.download(await apt.missing(PACKAGES))) await run('dpkg', ['-x', file, tree]);
    const later = join(work, GRPCLIB.suite);
    await mkdir(later);
    for (const file of await (await privateApt(later, GRPCLIB.suite)).download([GRPCLIB.name]))
      await run('dpkg', ['-x', file, tree]);
    await rm(fetched, { recursive: true, force: true });
    await rename(tree, fetched);
    const problem = await problemOf(await unpacked());
    if (problem !== undefined) throw new Error(problem);
  } catch (error) {
    throw new Error(
      `these tests need Python with grpcio, protobuf, h2 and grpclib, and protoc: on Debian 'apt-get install ${PACKAGES.join(' ')} ${GRPCLIB.name}', ` +
        'elsewhere set PYTHON_BIN to a Python that has the modules and put protoc on PATH ' +
        `(fetching them failed: ${whatWentWrong(error)})`,
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function problemOf({ python, protoc, env }: Python): Promise<string | undefined> {
  try {
    await run(python, ['-c', 'import grpc, h2, grpclib.client, google.protobuf'], { env });
    await run(protoc, ['--version'], { env });
    return undefined;
  } catch (error) {
    // Python says what it is about on the last line, behind a traceback.
    const lines = ((error as { stderr?: string }).stderr ?? '').trim().split('\n');
    return lines.at(-1) || whatWentWrong(error);
  }
}

const whereItIs = (own: string, installed: string): Promise<string> =>
  access(own, constants.X_OK).then(
    () => own,
    () => installed,
  );

const say = (text: string) => process.stderr.write(`python for tests: ${text}\n`);

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    console.log(
      JSON.stringify(await pythonWithGrpc(), ['python', 'protoc', 'env', 'PYTHONPATH', 'LD_LIBRARY_PATH'], 2),
    );
  } catch (error) {
    say((error as Error).message);
    process.exitCode = 1;
  }
}
