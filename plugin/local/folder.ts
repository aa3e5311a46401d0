import { lstat } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { RpcError } from '../../rpc/error.js';
import { makeFolder } from '../../rpc/make-folder.js';
import { Status } from '../../rpc/status.js';

/** Each user has a folder: the folder for temporary files is open to all. */
export const defaultFolder = (): string =>
  join(tmpdir(), `lictor-${process.getuid?.() ?? userInfo().username}`);

/**
 * Makes the default folder, or makes sure that it is ours: another user could have made it first, and would then
 * decide where our clients connect.
 * @throws RpcError PERMISSION_DENIED
 */
export async function makePrivateFolder(folder: string): Promise<void> {
  await makeFolder(folder, 0o700);
  const found = await lstat(folder);
  const uid = process.getuid?.();
  if (uid === undefined) return;
  if (found.isDirectory() && found.uid === uid && (found.mode & 0o022) === 0) return;
  throw new RpcError(
    Status.PERMISSION_DENIED,
    `${folder} is not a folder that only this user can write; give another with local({ folder })`,
    {
      maybeExecuted: false,
    },
  );
}
