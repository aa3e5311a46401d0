import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/root.js';

/** The TypeScript of a guide, block by block. */
export const blocksOf = (page: string): string[] =>
  [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);

/** What a program promises to print, in lines that end in `// prints: ...`. */
export const promisedBy = (program: string): string[] =>
  [...program.matchAll(/\/\/ prints: (.*)/g)].map((match) => match[1]!);

export type Compiled = Disposable & {
  readonly folder: string;
  /** The JavaScript of a file, by its name without an ending. */
  program(name: string): string;
};

/**
 * Compiles the texts of files, by their names without an ending, as a user's are.
 * @param options of the compiler, beside this project's
 * @throws when they do not compile; what is wrong is on stderr
 */
export function compiled(files: Readonly<Record<string, string>>, options: object = {}): Compiled {
  // Inside the project, so that 'lictor' is found as a package by its own name.
  mkdirSync(join(root, '.cache'), { recursive: true });
  const folder = mkdtempSync(join(root, '.cache/guide-'));
  const dispose = () => rmSync(folder, { recursive: true });
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, `${name}.ts`), text);
    const config = {
      extends: '../../tsconfig.json',
      compilerOptions: { rootDir: '.', outDir: 'out', ...options },
      include: ['*.ts'],
      exclude: ['out'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    execFileSync(process.execPath, [tsc, '-p', folder], { stdio: ['ignore', 2, 2] });
  } catch (error) {
    dispose();
    throw error;
  }
  return { folder, program: (name) => join(folder, 'out', `${name}.js`), [Symbol.dispose]: dispose };
}
