import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { nodePackage } from './node-package.js';
import { root } from './root.js';

// Runs the unit tests once more on the Node versions beside the one developed on; they come from npm into .cache.

const MAJORS = [22, 24];

/** The version of a node binary, such as `v22.1.0`; undefined when it does not run. */
function versionOf(node: string): string | undefined {
  const { status, stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** The path of a node binary of that version, installed if it is not there yet. */
function install(major: number): string {
  const name = nodePackage(process.platform, process.arch);
  const prefix = join('.cache', `node-${major}`);
  const node = join(root, prefix, 'node_modules', name, 'bin', 'node');
  if (versionOf(node)?.startsWith(`v${major}.`)) return node;
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', prefix, `${name}@${major}`];
  console.log(`npm ${args.join(' ')}`);
  const { status, error } = spawnSync('npm', args, { cwd: root, stdio: 'inherit' });
  if (error) throw new Error(`cannot run npm: ${error.message}`);
  if (status !== 0) throw new Error(`npm could not install ${name}@${major}`);
  if (!versionOf(node)?.startsWith(`v${major}.`)) throw new Error(`${name}@${major} has no working ${node}`);
  return node;
}

function testOn(major: number): boolean {
  const node = install(major);
  console.log(`unit tests on Node ${versionOf(node)}`);
  const { status } = spawnSync(process.execPath, [join(root, 'dist', 'scripts', 'test.js'), '--unit'], {
    stdio: 'inherit',
    env: { ...process.env, LICTOR_NODE: node },
  });
  return status === 0;
}

const failed: number[] = [];
for (const major of MAJORS) {
  try {
    if (!testOn(major)) failed.push(major);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    failed.push(major);
  }
}
if (failed.length > 0) {
  console.error(`failed on Node ${failed.join(' and ')}`);
  process.exitCode = 1;
} else {
  console.log(`passed on Node ${MAJORS.join(' and ')}`);
}
