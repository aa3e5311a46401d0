import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { Answer } from './answer.js';
import type { ConsulClient } from './client.js';

/** What a listing shows no more. */
export type Loss = {
  /** Names of entries that were listed before. */
  readonly lost: readonly string[];
  /** Whether Consul says that it has hidden something; versions before 1.11 never do. */
  readonly isFiltered: boolean;
  /** Whether nothing at all is listed. */
  readonly isEmpty: boolean;
  readonly signal: AbortSignal;
};

/** @throws RpcError PERMISSION_DENIED when what was lost is not gone, but hidden from the token */
export type HiddenCheck = (loss: Loss) => Promise<void>;

/** Sees each listing of a watch. @throws what the check throws; then the listing is of no use */
export type Sight = (names: readonly string[], isFiltered: boolean, signal: AbortSignal) => Promise<void>;

/** A token that loses a right gets shorter lists, and no error. @param known names that were listed already */
export function createSight(check: HiddenCheck, known: readonly string[] = []): Sight {
  let before: ReadonlySet<string> = new Set(known);
  return async (names, isFiltered, signal) => {
    const now = new Set(names);
    const lost = [...before].filter((name) => !now.has(name));
    const isEmpty = now.size === 0;
    if (lost.length > 0 || (isFiltered && isEmpty)) await check({ lost, isFiltered, isEmpty, signal });
    before = now;
  };
}

/** A right to read, in the words of Consul's policies. */
export type Right = { readonly resource: 'service' | 'node'; readonly name: string };

/** So many of those that are lost are looked at. */
export const MAX_LOOKS = 16;

/** How long the agent may take to say what the token may read: a list waits for it. */
export const RIGHTS_MS = 2_000;

/** For what the catalog lists, which Consul refuses to nobody: the agent is asked for the rights themselves. */
export function hiddenEntries(
  client: ConsulClient,
  {
    what,
    permission,
    rightsFor,
  }: {
    what: string;
    permission: string;
    rightsFor: (lost: readonly string[]) => readonly Right[];
  },
): HiddenCheck {
  return async ({ lost, isFiltered, isEmpty, signal }) => {
    if (!isFiltered && !isEmpty) return;
    if (isFiltered && isEmpty) throw hiddenFrom(client, what, permission);
    if (!(await mayRead(client, rightsFor(lost.slice(0, MAX_LOOKS)), signal)))
      throw hiddenFrom(client, what, permission);
  };
}

/**
 * Whether the token has all of the rights, as Consul's own pages ask it (since 1.8). True where the agent cannot say,
 * as one without ACLs.
 */
export async function mayRead(
  client: ConsulClient,
  rights: readonly Right[],
  signal?: AbortSignal,
): Promise<boolean> {
  if (rights.length === 0) return true;
  try {
    return await client.send({
      method: 'POST',
      path: '/internal/acl/authorize',
      body: JSON.stringify(
        rights.map(({ resource, name }) => ({ Resource: resource, Access: 'read', Segment: name })),
      ),
      what: 'read the rights of the token',
      permission: 'a token that exists',
      timeoutMs: Math.min(client.timeoutMs, RIGHTS_MS),
      signal,
      lane: 'watches',
      read: allAllowed,
    });
  } catch (error) {
    signal?.throwIfAborted();
    if (isDenied(error)) throw error;
    return true;
  }
}

function allAllowed(answer: Answer): boolean {
  const rights = answer.json();
  return !Array.isArray(rights) || !rights.some((right) => right?.Allow === false);
}

export const isDenied = (error: unknown) =>
  error instanceof RpcError && error.code === Status.PERMISSION_DENIED;

export const hiddenFrom = ({ agent }: ConsulClient, what: string, permission: string) =>
  new RpcError(
    Status.PERMISSION_DENIED,
    `consul at ${agent}: may not ${what}: the answer hides them from the token given; it needs ${permission}`,
    { maybeExecuted: false },
  );
