import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and those above it. `recursive` of `mkdir` never ends below a folder like /proc, which is there and says
 * "no such file" of whatever is made in it.
 * @param mode of those that are made
 * @throws Error that names the folder that cannot be made, with the `code` of the cause
 */
export async function makeFolder(folder: string, mode = 0o777): Promise<void> {
  const path = resolve(folder);
  const first = await failureOf(path, mode);
  if (first === undefined) return;
  const above = dirname(path);
  if (first.code !== 'ENOENT' || above === path) throw cannotMake(path, first);
  await makeFolder(above, mode);
  const second = await failureOf(path, mode);
  if (second !== undefined) throw cannotMake(path, second);
}

/** Undefined when the folder is there now. */
async function failureOf(path: string, mode: number): Promise<NodeJS.ErrnoException | undefined> {
  try {
    await mkdir(path, { mode });
    return undefined;
  } catch (error) {
    const found = await stat(path).catch(() => undefined);
    return found?.isDirectory() ? undefined : (error as NodeJS.ErrnoException);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'the folder above it may not be written',
  EEXIST: 'something else has this name',
  ELOOP: 'its path has too many links',
  ENAMETOOLONG: 'its name is too long',
  ERR_INVALID_ARG_VALUE: 'its name holds a null byte',
  ENOENT: 'the folder above it takes no folders',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'what is above it is no folder',
  EPERM: 'the folder above it may not be written',
  EROFS: 'the disk is read-only',
};

function cannotMake(path: string, cause: NodeJS.ErrnoException): Error {
  const { code = cause.message } = cause;
  const reason = REASONS[code];
  const text = `cannot make the folder ${shortened(path)}: ${reason === undefined ? code : `${reason} (${code})`}`;
  return Object.assign(new Error(text, { cause }), { code });
}

/** Both ends of a long path say which it is. */
const shortened = (path: string): string =>
  path.length <= 300 ? path : `${path.slice(0, 150)}...${path.slice(-150)}`;
