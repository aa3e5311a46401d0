import { RpcError } from '../../../rpc/error.js';
import { Status } from '../../../rpc/status.js';

export const MAX_PATH_BYTES = 1_024;

/**
 * What stands before every path, with its slash; `app` and `app/` are the same.
 * @throws RpcError INVALID_ARGUMENT
 */
export function configPrefix(prefix: string): string {
  if (prefix === '') return prefix;
  const folder = checked(typeof prefix === 'string' && prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
  return `${folder}/`;
}

/**
 * The name of one value.
 * @throws RpcError INVALID_ARGUMENT for what Consul would redirect to another key (`/x`, `a//b`, `a/../b`) or refuse
 */
export const checkPath = (path: string): string => checked(path);

/**
 * What a watch or a list covers: `database` is that value and all below `database/`, but not `database2`; `database/`
 * only what is below; `''` everything.
 * @throws RpcError INVALID_ARGUMENT
 */
export function checkScope(scope: string): string {
  if (scope === '') return scope;
  if (typeof scope === 'string' && scope.endsWith('/')) checked(scope.slice(0, -1));
  else checked(scope);
  return scope;
}

export const isIn = (scope: string, path: string): boolean =>
  scope === '' || scope.endsWith('/') || path === scope || path.startsWith(`${scope}/`);

function checked(path: string): string {
  const bad = (why: string) =>
    new RpcError(Status.INVALID_ARGUMENT, `path ${JSON.stringify(String(path).slice(0, 128))}: ${why}`, {
      maybeExecuted: false,
    });
  if (typeof path !== 'string') throw bad('not a string');
  if (path === '') throw bad('empty');
  if (path.startsWith('/')) throw bad('must not start with "/"');
  if (path.endsWith('/')) throw bad('must not end with "/"');
  if (!path.isWellFormed()) throw bad('has half of a surrogate pair');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw bad(`longer than ${MAX_PATH_BYTES} bytes`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path)) throw bad('has a control character');
  for (const segment of path.split('/'))
    if (segment === '' || segment === '.' || segment === '..') throw bad('has an empty segment, "." or ".."');
  return path;
}
