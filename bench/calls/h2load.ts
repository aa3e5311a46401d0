import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { frame } from '../../codec/framing.js';
import { root } from '../../scripts/root.js';
import { definition } from './definition.js';
import { TEXT } from './service.js';

const run = promisify(execFile);
const fetched = join(root, '.cache', 'h2load');
/** With the libraries that a plain Debian does not have. */
const PACKAGES = ['nghttp2-client', 'libnghttp2-14', 'libev4', 'libjemalloc2'];

/** A load generator that is none of ours. */
export type H2load = {
  /** Ten connections with ten calls in flight each, for `ms`. */
  run(address: string, ms: number): Promise<{ messages: number; ms: number }>;
};

/**
 * h2load of nghttp2: from PATH, or fetched into `.cache/` without root from Debian's packages.
 * @throws Error that says why it cannot be had
 */
export async function findH2load(): Promise<H2load> {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'h2load'));
  for (const file of onPath) if (await isExecutable(file)) return h2load(file, {});
  const file = join(fetched, 'usr', 'bin', 'h2load');
  if (!(await isExecutable(file))) await fetchPackages();
  const libraries = (await readdir(join(fetched, 'usr', 'lib'))).map((name) =>
    join(fetched, 'usr', 'lib', name),
  );
  return h2load(file, { LD_LIBRARY_PATH: libraries.join(delimiter) });
}

function h2load(file: string, environment: Record<string, string>): H2load {
  return {
    async run(address, ms) {
      const folder = await mkdtemp(join(tmpdir(), 'lictor-bench-'));
      const body = join(folder, 'body');
      const { path, requestSerialize, responseSerialize } = definition().Say;
      await writeFile(body, frame(requestSerialize({ text: TEXT })));
      const headers = ['-H', 'content-type: application/grpc', '-H', 'te: trailers'];
      const load = ['-c', '10', '-m', '10', '-t', '1', '-D', `${ms}ms`, '-d', body];
      try {
        const { stdout } = await run(file, [...load, ...headers, `http://${address}${path}`], {
          env: { ...process.env, ...environment },
        });
        return read(stdout, frame(responseSerialize({ text: TEXT })).length);
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  };
}

/** h2load looks at HTTP's status only; that the replies are all there shows in their bytes. */
function read(output: string, replyBytes: number) {
  const number = (pattern: RegExp) => Number(pattern.exec(output)?.[1]);
  const calls = number(/(\d+) succeeded/);
  const failed = number(/(\d+) failed/);
  const perSecond = number(/([\d.]+) req\/s/);
  const dataBytes = number(/\((\d+)\) data/);
  if (!(calls > 0 && failed === 0 && dataBytes >= calls * replyBytes)) throw new Error(`h2load:\n${output}`);
  return { messages: calls, ms: (calls / perSecond) * 1_000 };
}

async function fetchPackages(): Promise<void> {
  const work = `${fetched}-${process.pid}`;
  await mkdir(join(work, 'lists', 'partial'), { recursive: true });
  try {
    // Lists of our own, so that the machine's stay as they are.
    const options = { 'Dir::State::lists': join(work, 'lists'), 'APT::Sandbox::User': 'root' };
    const apt = (...command: string[]) => {
      const args = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
      return run('apt-get', [...args, ...command], { cwd: work, timeout: 180_000 });
    };
    await apt('update').catch(() => {}); // One source that fails makes it fail; what counts is the download.
    await apt('download', ...PACKAGES);
    for (const name of await readdir(work)) {
      if (name.endsWith('.deb')) await run('dpkg', ['-x', join(work, name), join(work, 'unpacked')]);
    }
    await rm(fetched, { recursive: true, force: true });
    await rename(join(work, 'unpacked'), fetched);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const isExecutable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
