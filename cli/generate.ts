import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generateModules } from '../codec/generate/generate.js';
import { GENERATED } from '../codec/generate/module.js';
import { RpcError, textOf } from '../rpc/error.js';
import { makeFolder } from '../rpc/make-folder.js';
import { Status } from '../rpc/status.js';

export type GenerateOptions = {
  /** The folder that modules are written to; made when it is not there. */
  readonly out: string;
  /** Where imports are looked for. @default the folders of the files themselves */
  readonly include?: readonly string[];
};

/**
 * Writes TypeScript for .proto files and their imports, all of it or, when something is wrong with them, nothing.
 * A file that was not generated is never overwritten.
 * @returns the paths written
 * @throws RpcError with a text of one line that says what is wrong and where
 */
export async function generate(
  files: readonly string[],
  { out, include = [] }: GenerateOptions,
): Promise<string[]> {
  if (out === '') {
    throw new RpcError(
      Status.INVALID_ARGUMENT,
      '--out: expected the path of a folder, got ""; give "." for the current one',
    );
  }
  const modules = generateModules(files, include).map(({ path, text }) => ({ path: join(out, path), text }));
  for (const { path } of modules) refuseForeign(path);
  for (const { path, text } of modules) {
    try {
      await makeFolder(dirname(path));
      writeFileSync(path, text);
    } catch (cause) {
      throw new RpcError(Status.PERMISSION_DENIED, `cannot write ${path}: ${textOf(cause)}`, { cause });
    }
  }
  return modules.map(({ path }) => path);
}

function refuseForeign(path: string): void {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return; // Not there; when it is but cannot be read, writing will say so.
  }
  if (text.slice(0, 200).includes(GENERATED)) return;
  throw new RpcError(
    Status.ALREADY_EXISTS,
    `${path} was not written by lictor generate; move it or choose another --out`,
  );
}
