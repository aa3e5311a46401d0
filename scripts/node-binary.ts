import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { nodePackage } from './node-package.js';
import { root } from './root.js';

/** The version of a node binary, such as `v22.1.0`; undefined when it does not run. */
export function versionOf(node: string): string | undefined {
  const { status, stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** The path of a node binary of that major version, installed from npm into .cache if it is not there yet. */
export function installNode(major: number): string {
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
