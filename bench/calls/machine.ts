import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { root } from '../../scripts/root.js';
import { stacks } from './stacks.js';

/** Where, when and of what a run's figures are. */
export type Machine = {
  cpu: string;
  cores: number;
  memoryGiB: number;
  node: string;
  platform: string;
  date: string;
  command: string;
  rounds: number;
  ms: number;
  versions: Record<string, string>;
};

/** @param packages whose versions are told @default those of the stacks */
export function machine(
  command: string,
  { rounds, ms }: { rounds: number; ms: number },
  packages: readonly string[] = stacks.flatMap((stack) => stack.package ?? []),
): Machine {
  const version = (folder: string): string =>
    JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')).version;
  return {
    cpu: cpus()[0]!.model,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    date: new Date().toISOString().slice(0, 10),
    command,
    rounds,
    ms,
    versions: Object.fromEntries([
      ['lictor', version('')],
      ...packages.map((name) => [name, version(join('node_modules', name))]),
    ]),
  };
}
