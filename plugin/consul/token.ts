import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { RpcError, textOf } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';

const CHECK_MS = 1_000;

/** Where the ACL token comes from. Only closures hold it, so that nothing that is printed can show it. */
export interface TokenSource {
  /** @throws RpcError INVALID_ARGUMENT when the file cannot be read, or holds no token */
  current(): string | undefined;
  /** After a refusal: whether there is another token now. */
  refresh(): boolean;
  /** Tells tokens apart without showing them. */
  readonly digest: string;
}

/** @throws RpcError INVALID_ARGUMENT for a token that no header can carry */
export function fixedToken(token: string | undefined): TokenSource {
  const checked = token === undefined ? undefined : checkToken(token, 'token of Consul');
  return { current: () => checked, refresh: () => false, digest: checked ? digestOf(checked) : '' };
}

/** A file that holds the token, and may be replaced while we run; it is looked at once a second at most. */
export function tokenFile(path: string): TokenSource {
  let token: string | undefined;
  let modified = Number.NaN;
  let checkedAt = Number.NEGATIVE_INFINITY;
  const read = () => {
    checkedAt = performance.now();
    try {
      const { mtimeMs } = statSync(path);
      if (mtimeMs === modified) return;
      token = checkToken(readFileSync(path, 'utf8').trim(), `token file ${path} of Consul`);
      modified = mtimeMs;
    } catch (reason) {
      // One that is just being replaced may be missing for a moment.
      if (token !== undefined) return;
      if (reason instanceof RpcError) throw reason;
      throw refused(`token file of Consul: ${textOf(reason)}`);
    }
  };
  return {
    current() {
      if (performance.now() - checkedAt >= CHECK_MS) read();
      return token;
    },
    refresh() {
      const before = token;
      read();
      return token !== before;
    },
    digest: digestOf(`file ${path}`),
  };
}

const digestOf = (text: string) => createHash('sha256').update(text).digest('base64url');

function checkToken(token: string, what: string): string {
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token;
  throw refused(`${what}: printable ASCII without spaces is wanted`);
}

const refused = (text: string) => new RpcError(Status.INVALID_ARGUMENT, text, { maybeExecuted: false });
